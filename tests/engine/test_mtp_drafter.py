"""The MTP drafter guesses what transformers' does, and changes nothing but the time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from oracles.drafted_pair import CYCLE, Pair, agreeing_pair, random_pair
from oracles.tiny_variants import drafters_allowed
from transformers import Gemma4AssistantForCausalLM, Gemma4ForConditionalGeneration

from edgekit.chat.models import OWN_DRAFTER, find_plan
from edgekit.engine.drafter import Drafter
from edgekit.engine.drafting import MOST_GUESSES, Drafting, Pace
from edgekit.engine.engine import Engine
from edgekit.engine.sampling import Sampling
from edgekit.fit.plan import Plan

GREEDY = Sampling(temperature=0, max_tokens=150)
# Longer than the window of 64.
PROMPT = [2, *range(300, 210, -1)]


def plan_of(pair: Pair) -> Plan:
    return Plan(pair.model, drafter=pair.drafter, context=1024, batch=64, ubatch=64, threads=1)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return random_pair(tmp_path_factory.mktemp("noise"))


@pytest.fixture(scope="module")
def agreeing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    pair = agreeing_pair(tmp_path_factory.mktemp("agreeing"))
    with Engine.open(plan_of(pair)) as engine:
        yield engine


@pytest.fixture(scope="module", params=[0.3, 1.0], ids=["often right", "never right"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    pair = agreeing_pair(tmp_path_factory.mktemp("pair"), wrong=request.param)
    with Engine.open(plan_of(pair)) as engine:
        yield engine


def written(engine: Engine, sampling: Sampling, drafting: Drafting) -> tuple[list[int], int]:
    """Return the tokens, and how many steps they took."""
    engine.cache.clear()
    for _ in engine.read([PROMPT]):
        continue
    steps = 0
    with pytest.MonkeyPatch.context() as patch:
        one, several = engine.cache.append, engine.cache.append_with_guesses

        def counted(token: int, guesses: list[int] | None = None) -> None:
            nonlocal steps
            steps += 1
            one(token) if guesses is None else several(token, guesses)

        patch.setattr(engine.cache, "append", counted)
        patch.setattr(engine.cache, "append_with_guesses", counted)
        return list(engine.write(sampling, drafting=drafting)), steps


def drafter_of(engine: Engine) -> Drafter:
    return next(way.guesser for way in engine._ways if isinstance(way.guesser, Drafter))


def transformers_guesses(pair: Pair, tokens: list[int], count: int) -> list[int]:
    """Return what transformers' SinglePositionMultiTokenCandidateGenerator does with these weights."""
    exact = {"dtype": torch.float32, "attn_implementation": "eager"}
    model = Gemma4ForConditionalGeneration.from_pretrained(pair.checkpoint, **exact).eval()
    with drafters_allowed():
        drafter = Gemma4AssistantForCausalLM.from_pretrained(pair.drafter_checkpoint, **exact).eval()
    guesses: list[int] = []
    with torch.inference_mode():
        read = model(
            input_ids=torch.tensor([tokens[:-1]]),
            mm_token_type_ids=torch.zeros(1, len(tokens) - 1, dtype=torch.long),
            return_shared_kv_states=True,
            output_hidden_states=True,
        )
        state, last = read.hidden_states[-1][:, -1:], torch.tensor([tokens[-1:]])
        for _ in range(count):
            guessed = drafter(
                inputs_embeds=torch.cat([model.get_input_embeddings()(last), state], dim=-1),
                position_ids=torch.tensor([[len(tokens) - 1]]),
                shared_kv_states=read.shared_kv_states,
                use_cache=False,
            )
            state, last = guessed.last_hidden_state, guessed.logits.argmax(-1)
            guesses.append(int(last))
    return guesses


def test_it_guesses_what_transformers_does(noise: Pair):
    exact = replace(plan_of(noise), cache_type_k="F32", cache_type_v="F32", flash_attention=False, repack=False)
    with Engine.open(exact) as engine:
        for _ in engine.read([PROMPT]):
            continue
        after_the_prompt = drafter_of(engine).guess_after(40, 5)
        # Two of the guesses prove right, one wrong.
        engine.cache.append_with_guesses(40, [41, 42, 43])
        engine.cache.drop_last(1)
        later = {token: drafter_of(engine).guess_after(token, 5) for token in (50, 60, 70)}
    assert after_the_prompt == transformers_guesses(noise, [*PROMPT, 40], 5)
    assert later == {token: transformers_guesses(noise, [*PROMPT, 40, 41, 42, token], 5) for token in later}


def test_right_guesses_save_steps(agreeing: Engine):
    plain, steps = written(agreeing, GREEDY, "never")
    start = PROMPT[-1] + 1
    assert plain == [(start + place - CYCLE.start) % len(CYCLE) + CYCLE.start for place in range(150)]
    assert steps == 149
    guessed, steps = written(agreeing, GREEDY, "always")
    assert guessed == plain
    assert steps < len(plain) / (MOST_GUESSES - 1)


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(seed=3, max_tokens=150)], ids=["greedy", "sampled"])
def test_the_same_tokens_with_and_without(engine: Engine, sampling: Sampling):
    plain, steps = written(engine, sampling, "never")
    assert steps == len(plain) - 1
    guessed, _ = written(engine, sampling, "always")
    assert guessed == plain
    assert list(engine.cache.entries[len(PROMPT) :]) == plain[:-1]
    decided, _ = written(engine, sampling, "auto")
    assert decided == plain


def test_noise_writes_the_same_with_a_drafter_and_without_one(noise: Pair):
    plan = plan_of(noise)
    with Engine.open(plan) as with_it, Engine.open(replace(plan, drafter=None)) as without:
        expected, _ = written(without, GREEDY, "never")
        assert written(with_it, GREEDY, "always")[0] == expected
        assert written(with_it, GREEDY, "never")[0] == expected


def test_a_drafter_that_is_never_right_is_asked_ever_less():
    pace, trials = Pace("auto", 4), []
    for step in range(3000):
        guessed = pace.guesses()
        trials += [step] if guessed else []
        pace.measured(guessed, 0, 1.6 if guessed else 1.0)
    assert 3 <= len(trials) < 25
    assert len([step for step in trials if step < 190]) == 3
    assert len([step for step in trials if step >= 1500]) <= 10


def test_one_that_is_right_now_and_then_is_kept_on():
    pace, dice = Pace("auto", 4), random.Random(0)
    seconds, tokens = 0.0, 0
    while tokens < 2000:
        guessed = pace.guesses()
        # Each guess is right in two of three cases if the one before it is; each costs a tenth of a step, twice.
        accepted = next((place for place in range(guessed) if dice.random() > 2 / 3), guessed)
        took = 1 + 0.2 * guessed
        pace.measured(guessed, accepted, took)
        seconds, tokens = seconds + took, tokens + accepted + 1
    assert tokens > 1.2 * seconds


def test_another_models_drafter_is_refused_in_one_line(noise: Pair, edgekit, tmp_path: Path):
    from one_line import assert_one_line_error

    said = assert_one_line_error(edgekit("run", "demo", "Hello", "--drafter", noise.drafter))
    assert "drafts for another model" in said
    said = assert_one_line_error(edgekit("run", noise.model, "Hello", "--drafter", noise.model))
    assert "no Gemma 4 drafter" in said
    said = assert_one_line_error(edgekit("run", noise.model, "Hello", "--drafter", tmp_path / "nothing.gguf"))
    assert "is no file" in said
    (tmp_path / "half.gguf").write_bytes(noise.drafter.read_bytes()[:-5000])
    assert_one_line_error(edgekit("run", noise.model, "Hello", "--drafter", tmp_path / "half.gguf"))


def test_a_run_with_a_drafter_says_the_same(noise: Pair, edgekit):
    line = ["run", noise.model, "Hello", "--seed", "5", "--max-tokens", "60"]
    plain, drafted = edgekit(*line), edgekit(*line, "--drafter", noise.drafter)
    assert plain.returncode == drafted.returncode == 0, drafted.stderr
    assert plain.stdout == drafted.stdout


def test_auto_takes_the_drafter_that_lies_beside_the_model(noise: Pair, edgekit, tmp_path: Path):
    from one_line import assert_one_line_error

    # As a pull leaves them: copies of higher precision lie in folders.
    snapshot = tmp_path / "models--someone--model/snapshots/0123"
    model = snapshot / "BF16" / "model.gguf"
    model.parent.mkdir(parents=True)
    model.write_bytes(noise.model.read_bytes())
    line = ["run", model, "Hello", "--seed", "5", "--max-tokens", "20"]
    said = assert_one_line_error(edgekit(*line, "--drafter", "auto"))
    assert "no MTP drafter lies beside model.gguf: `edgekit pull" in said
    (snapshot / "mtp-another.gguf").write_bytes(noise.model.read_bytes())
    (snapshot / "mtp-model.gguf").write_bytes(noise.drafter.read_bytes())
    assert find_plan(str(model), drafter=OWN_DRAFTER).drafter == snapshot / "mtp-model.gguf"
    assert find_plan(str(model)).drafter is None
    plain, drafted = edgekit(*line), edgekit(*line, "--drafter", "auto")
    assert plain.returncode == drafted.returncode == 0, drafted.stderr
    assert plain.stdout == drafted.stdout
