"""A model in this process: llama.cpp through llama-cpp-python's C bindings."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from edgekit.engine import native
from edgekit.engine.cache import Cache
from edgekit.engine.check import check_context, check_drafter, check_model, check_projector
from edgekit.engine.constraint import ConstrainedSampler
from edgekit.engine.drafter import Drafter
from edgekit.engine.drafting import Drafting, Pace, PromptLookup, Way
from edgekit.engine.loading import OnProgress, load_model, shares
from edgekit.engine.native import llama
from edgekit.engine.projector import MediaInput, Projector
from edgekit.engine.prompt import Prompt, entries
from edgekit.engine.sampling import Sampler, Sampling
from edgekit.engine.saved_state import SavedStates
from edgekit.engine.threads import physical_cores
from edgekit.engine.trial import Files, check_unseen
from edgekit.engine.vocabulary import LlamaVocabulary
from edgekit.engine.writer import Writer
from edgekit.errors import UnsupportedError

if TYPE_CHECKING:
    import numpy as np

    from edgekit.engine.media import Picture, Sound
    from edgekit.fit.plan import Plan

# Tokens of a prompt that say how fast prompts are read; fewer are slower.
_MEASURED = 64
# Of a drafter, before it is judged.
_TRIALS = 4


class Engine:
    """A loaded model with its cache and, where there is one, its projector.

    One thread at a time may use it.
    """

    def __init__(
        self,
        plan: Plan,
        model: int,
        load_started: float,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._resources = ExitStack()
        self._resources.callback(llama.llama_model_free, model)
        try:
            self._plan, self._model = plan, model
            threads = plan.threads or physical_cores()
            self.vocabulary = LlamaVocabulary(model)
            # The E variants, those with per-layer embeddings, were trained to read pictures causally, the others in
            # both directions. mtmd tells them apart by their widths alone.
            causal = self.metadata("gemma4.embedding_length_per_layer_input") not in ("", "0")
            self.cache = Cache(plan, model, threads=threads, causal_pictures=causal)
            self._resources.callback(self.cache.close)
            self._ways = self._make_ways(threads)
            self._states = SavedStates(self.cache, plan)
            # Tokens a second of the last long prompt.
            self._prefill_speed = 0.0
            self._projector = self._load_projector(threads, on_progress)
        except BaseException:
            self._resources.close()
            raise
        self._load_seconds = self._unclaimed = time.perf_counter() - load_started

    @classmethod
    def open(cls, plan: Plan, on_progress: OnProgress | None = None) -> Engine:
        """Load what the plan names; `on_progress` hears fractions from 0 to 1.

        A file not seen before is tried in a process of its own. Raises FileError where a file is missing, damaged or of
        another model, UnsupportedError where the context is longer than the model's own, and DoesNotFitError where
        memory ends.
        """
        started = time.perf_counter()
        model_header = check_model(plan.model)
        check_context(model_header, plan.context)
        projector_header = check_projector(plan.projector, model_header) if plan.projector else None
        drafter_header = check_drafter(plan.drafter, model_header) if plan.drafter else None
        check_unseen(Files(model_header, projector_header, drafter_header), plan)
        native.start()
        first, second = shares(plan, on_progress)
        return cls(plan, load_model(plan, first), started, second)

    def close(self) -> None:
        """Give the memory back; harmless when done twice."""
        self._resources.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load_projector(self, threads: int, on_progress: OnProgress | None) -> Projector | None:
        if not self._plan.projector:
            return None
        projector = Projector(
            self._plan.projector,
            self._model,
            threads=threads,
            flash_attention=self._plan.flash_attention,
            gpu=self._plan.gpu_layers != 0,
            on_progress=on_progress,
        )
        self._resources.callback(projector.close)
        return projector

    def _make_ways(self, threads: int) -> list[Way]:
        # Looking up costs nothing, and is right for longer where it is right at all.
        ways = [Way(PromptLookup(), Pace("auto"))]
        if self._plan.drafter:
            drafter = Drafter(self._plan, self.cache, threads=threads)
            self._resources.callback(drafter.close)
            ways.append(Way(drafter, Pace("auto", _TRIALS)))
        return ways

    @property
    def plan(self) -> Plan:
        """Return the plan that was opened."""
        return self._plan

    @property
    def model_path(self) -> Path:
        """Return the file of the weights."""
        return self._plan.model

    @property
    def name(self) -> str:
        """Return what the file calls the model, or its file name."""
        return self.metadata("general.name") or self.model_path.stem

    @property
    def description(self) -> str:
        """Return the architecture, size and quantization as llama.cpp says them."""
        text = ctypes.create_string_buffer(256)
        llama.llama_model_desc(self._model, text, len(text))
        return text.value.decode("utf-8", "replace")

    @property
    def context(self) -> int:
        """Return how many tokens the cache holds."""
        return self.cache.size

    @property
    def load_seconds(self) -> float:
        """Return how long loading took."""
        return self._load_seconds

    def claim_load_seconds(self) -> float:
        """Return how long loading took, once: the first answer had to wait for it, later ones did not."""
        seconds, self._unclaimed = self._unclaimed, 0.0
        return seconds

    @property
    def chat_template(self) -> str:
        """Return the Jinja template in the file."""
        template: bytes | None = llama.llama_model_chat_template(self._model, None)
        if template is None:
            raise UnsupportedError(f"{self.model_path} has no chat template: it is not made for conversations")
        return template.decode("utf-8", "replace")

    @property
    def takes_pictures(self) -> bool:
        """Return whether a projector with vision is loaded."""
        return self._projector is not None and self._projector.takes_pictures

    @property
    def takes_sound(self) -> bool:
        """Return whether a projector with audio is loaded."""
        return self._projector is not None and self._projector.takes_sound

    @property
    def takes_thinking(self) -> bool:
        """Return whether the template can ask for a thought channel."""
        return "enable_thinking" in self.chat_template

    @property
    def takes_grammars(self) -> bool:
        """Return True: llama.cpp has a sampler for them."""
        return True

    @property
    def media_hint(self) -> str:
        """Return what would let the model take pictures and sounds, to follow "takes no pictures"; may be empty."""
        if self._projector is not None:
            return ""
        without = " without its projector"
        if beside := sorted(self.model_path.parent.glob("*mmproj*.gguf")):
            return f"{without}: {beside[0].name} beside it was not loaded, `edgekit inspect` says whether it is damaged"
        return f"{without}: put the mmproj file beside it or name it with --projector"

    def metadata(self, key: str) -> str:
        """Return a value of the file's header as text, or ""."""
        text = ctypes.create_string_buffer(1024)
        found = llama.llama_model_meta_val_str(self._model, key.encode(), text, len(text)) >= 0
        return text.value.decode("utf-8", "replace") if found else ""

    def prepare(self, media: Picture | Sound) -> MediaInput:
        """Return how a picture or a sound stands in a prompt; UnsupportedError where the model takes none."""
        return self._loaded_projector().prepare(media)

    def encode(self, media: MediaInput, stop: threading.Event | None = None) -> np.ndarray[Any, Any]:
        """Return embeddings of shape (length, width of the model), float32; computed once per content.

        Raises StoppedError when `stop` is set.
        """
        return self._loaded_projector().encode(media, stop or threading.Event())

    def _loaded_projector(self) -> Projector:
        if self._projector is None:
            raise UnsupportedError(f"{self.model_path.name} has no projector: it takes no pictures and no sound")
        return self._projector

    def read(self, prompt: Prompt, stop: threading.Event | None = None) -> Iterator[int]:
        """Compute a prompt; yields how many tokens are in the cache, first those that were there already.

        Raises StoppedError when `stop` is set.
        """
        wanted = entries(prompt)
        done = self.cache.keep_common(wanted)
        yield done
        started = time.perf_counter()
        with self.cache.stop.following(stop):
            yield from self.cache.read(prompt, done, partial(self.encode, stop=stop))
        if len(wanted) - done >= _MEASURED or not self._prefill_speed:
            self._prefill_speed = (len(wanted) - done) / (time.perf_counter() - started)

    def save_state(self, name: str, prompt: Prompt) -> bool:
        """Keep what was read of a prompt under a name, where that is faster than reading it again; returns whether."""
        # A sliding window cannot be cut anywhere later: what does not belong to the prompt goes now.
        self.cache.keep_common(entries(prompt))
        return self._states.save(name, self._prefill_speed)

    def load_state(self, name: str) -> bool:
        """Go on from a state that was kept; returns whether there is one that this model can go on from."""
        return self._states.load(name)

    def write(
        self, sampling: Sampling, stop: threading.Event | None = None, drafting: Drafting = "auto"
    ) -> Iterator[int]:
        """Continue what was read, token by token; the token that ends the turn comes too, as the last.

        Ends after `max_tokens` and at the end of the context; raises StoppedError when `stop` is set.
        """
        left = self.context - len(self.cache)
        if sampling.max_tokens is not None:
            left = min(left, sampling.max_tokens)
        if left <= 0:
            return
        with self._sampler(sampling) as sampler, self.cache.stop.following(stop):
            writer = Writer(self.cache, self.vocabulary, sampler, self._guessing(drafting))
            yield from writer.write(left)

    def _sampler(self, sampling: Sampling) -> Sampler:
        if sampling.constraint is None:
            return Sampler(sampling, self.vocabulary.size, self.vocabulary.suppressed())
        vocab = llama.llama_model_get_vocab(self._model)
        return ConstrainedSampler(sampling, self.vocabulary, vocab, sampling.constraint)

    def _guessing(self, drafting: Drafting) -> list[Way]:
        if drafting == "never":
            return []
        # What was measured in earlier answers holds for this one.
        return self._ways if drafting == "auto" else [Way(way.guesser, Pace(drafting)) for way in self._ways]

    def logits(self) -> np.ndarray[Any, Any]:
        """Return the logits after the token computed last, float32, one for each token of the vocabulary."""
        import numpy as np

        pointer = llama.llama_get_logits_ith(self.cache.context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary.size,)).copy()
