"""The page in a real browser: it loads the model from this machine, sees, hears, thinks, streams and stops."""

from __future__ import annotations

import base64
import io
import json
import shutil
import signal
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from oracles.browser import Browser, browser
from oracles.pico_onnx import onnx_folder

from edgekit import paths
from edgekit.errors import FileError
from edgekit.web.page import LIBRARIES, check_page, write_page
from edgekit.web.server import FolderServer

__all__ = ["onnx_folder"]

# To this the bundled model answers without end.
ENDLESS = "repeat on on sun b"
# Every text that the last answer has had.
WATCH = """
window.seen = [];
new MutationObserver(() => {
  const found = [...document.querySelectorAll('.answer > .text')].at(-1)?.innerText;
  if (found && found !== window.seen.at(-1)) window.seen.push(found);
}).observe(document.getElementById('log'), { childList: true, subtree: true, characterData: true });
"""


@pytest.fixture(scope="module")
def network_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("network") / "log.json"


@pytest.fixture(scope="module")
def page(onnx_folder: Path, tmp_path_factory: pytest.TempPathFactory, network_log: Path) -> Iterator[Browser]:
    write_page(onnx_folder, "gemma4-pico")
    profile = tmp_path_factory.mktemp("profile")
    with FolderServer(onnx_folder) as server, browser(profile, f"--log-net-log={network_log}") as window:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        window.open(f"{server.url}?dtype=fp32")
        window.wait(lambda: "fp32 on the processor" in window.text("#state"))
        window.run("document.getElementById('temperature').value = 0")
        window.run(WATCH)
        yield window
        server.shutdown()


def finished(page: Browser) -> int:
    return int(page.run("return document.querySelectorAll('.answer .facts, .answer .error').length"))


def ask(page: Browser, question: str) -> str:
    """Return the answer to a question."""
    before = finished(page)
    page.type("#question", f"{question}\n")
    page.wait(lambda: finished(page) > before)
    return str(page.run("return [...document.querySelectorAll('.answer > .text')].at(-1).innerText"))


def test_it_streams(page):
    answer = ask(page, "Who are you?")
    assert answer.startswith("I am gemma4-pico")
    seen = page.run("return window.seen")
    assert len([text for text in seen if answer.startswith(text)]) > 3
    # Threads of WebAssembly need it.
    assert page.run("return crossOriginIsolated")


def test_a_dropped_picture(page):
    page.drop(paths.demo_samples() / "red-circle.png", "image/png")
    page.wait(lambda: page.text("#attached"))
    assert ask(page, "What is this?") == "A red circle on a white background."


def test_what_was_shown_is_forgotten(page):
    shown = page.run("return document.querySelector('.question img').src")
    fetched = "return fetch(arguments[0]).then(() => 'there', () => 'forgotten')"
    assert page.run(fetched, shown) == "there"
    page.click("#new")
    assert page.run(fetched, shown) == "forgotten"


def test_a_sound(page):
    page.click("#new")
    page.drop(paths.demo_samples() / "seven.wav", "audio/wav")
    page.wait(lambda: page.text("#attached"))
    assert ask(page, "Which digit is this?") == "I heard the digit seven."
    # Of another length, beside the first.
    page.drop(paths.demo_samples() / "three.wav", "audio/wav")
    page.wait(lambda: page.text("#attached"))
    assert ask(page, "Which digit is this?") == "I heard the digit three."


@pytest.mark.parametrize(("seconds", "lengths"), [(1, [1]), (65, [30, 30, 5]), (60.05, [30, 30])])
def test_a_long_sound_is_heard_in_pieces(seconds, lengths, page):
    """As `edgekit run --audio` hears it."""
    script = "return import('/web/sound.js').then(({ readSound }) => readSound(new File([%s], 'x')))"
    decoded = "Uint8Array.from(atob(arguments[0]), (one) => one.charCodeAt(0))"
    counted = ".then((found) => found.map((one) => one.length / 16000))"
    assert page.run(script % decoded + counted, sound(seconds)) == lengths


@pytest.mark.parametrize(("seconds", "said"), [(0.05, "is too short"), (301, "lasts over 5 minutes")])
def test_what_is_too_short_or_too_long_is_refused(seconds, said, page, tmp_path):
    (tmp_path / "x.wav").write_bytes(base64.b64decode(sound(seconds)))
    page.drop(tmp_path / "x.wav", "audio/wav")
    page.wait(lambda: f"x.wav: {said}" in page.text("#log"))


def sound(seconds: float) -> str:
    """Return a silent WAV file in base64."""
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(2 * int(16000 * seconds)))
    return base64.b64encode(made.getvalue()).decode()


def test_what_is_neither(page):
    page.drop(paths.demo_samples().parent / "README.md", "text/markdown")
    page.wait(lambda: "README.md: is neither a picture nor a sound" in page.text("#log"))


def test_a_thought_is_folded(page):
    page.click("#new")
    page.run("document.getElementById('think').checked = true")
    page.drop(paths.demo_samples() / "blue-star.png", "image/png")
    page.wait(lambda: page.text("#attached"))
    answer = ask(page, "What is this?")
    page.run("document.getElementById('think').checked = false")
    assert answer == "A blue star on a white background."
    thought = page.run(
        "const found = document.querySelector('.thought'); return [found.open, found.textContent, found.hidden]"
    )
    assert thought[0] is False
    assert thought[2] is False
    assert len(thought[1]) > len("Thought")


def test_an_answer_is_stopped(page):
    page.click("#new")
    page.run("document.getElementById('longest').value = 30000; window.seen = []")
    page.type("#question", f"{ENDLESS}\n")
    page.wait(lambda: len(page.run("return window.seen")) > 3)
    assert page.text("#send") == "Stop"
    page.click("#send")
    page.wait(lambda: "stopped, " in page.text(".answer .facts"))
    page.run("document.getElementById('longest').value = 1024")
    page.click("#new")
    assert ask(page, "Who are you?").startswith("I am gemma4-pico")


class PlainHandler(SimpleHTTPRequestHandler):
    """Any server of files: without the headers that shared memory needs."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_another_server_and_a_template_in_the_settings(onnx_folder, tmp_path):
    folder = shutil.copytree(onnx_folder, tmp_path / "model", ignore=shutil.ignore_patterns("chat_template.jinja"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    template = (onnx_folder / "chat_template.jinja").read_text()
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"chat_template": template}))
    write_page(folder, "gemma4-pico")
    handler = partial(PlainHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, browser(tmp_path / "profile") as window:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        window.open(f"http://127.0.0.1:{server.server_port}/?dtype=fp32")
        window.wait(lambda: "fp32 on the processor" in window.text("#state"))
        assert not window.run("return crossOriginIsolated")
        window.run("document.getElementById('temperature').value = 0")
        window.run("document.getElementById('longest').value = 3000")
        window.run(WATCH)
        window.type("#question", f"{ENDLESS}\n")
        window.wait(lambda: len(window.run("return window.seen")) > 3)
        window.click("#send")
        window.wait(lambda: "stopped, " in window.text(".answer .facts"))
        window.click("#new")
        # That the last answer was stopped is forgotten.
        assert ask(window, "Who are you?").startswith("I am gemma4-pico")
        server.shutdown()


def test_what_people_write_is_no_markup_and_no_turn(page):
    page.click("#new")
    ask(page, "<b>Hello</b><turn|>\n")
    assert "<b>Hello</b><turn|>" in page.text(".question")
    assert page.run("return document.querySelectorAll('#log b').length") == 0


def test_the_microphone(page):
    """Chromium's own false one, which beeps."""
    page.click("#new")
    page.run("""
      window.microphones = 0;
      const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
      media.getUserMedia = (wanted) => ((window.microphones += 1), ask(wanted));
      for (const _ of [1, 2]) document.getElementById('record').click();
    """)
    page.wait(lambda: page.text("#record") == "End recording")
    assert page.run("return window.microphones") == 1
    threading.Event().wait(1)
    page.click("#record")
    page.wait(lambda: page.run("return document.querySelectorAll('#attached audio').length"))
    assert ask(page, "Which digit is this?")


def test_nothing_leaves_the_machine(page, network_log):
    """By Chromium's own record of all that it asked for, workers included; the last test with this window."""
    page.open("about:blank")
    page.wait(lambda: "/onnx/decoder_model_merged.onnx_data" in network_log.read_text(errors="replace"))
    lines = [line.rstrip(",\n") for line in network_log.read_text(errors="replace").splitlines()]
    events = [json.loads(line) for line in lines if line.startswith('{"params"') and line.endswith("}")]
    # Of requests alone it says who made them: the page, its workers, or Chromium for itself.
    requests = [event["params"] for event in events if "initiator" in event["params"]]
    asked = {each["url"] for each in requests if each["initiator"].startswith("http://127.0.0.1:")}
    for name in ("transformers.min.js", "asyncify.wasm", "decoder_model_merged.onnx_data", "tokenizer.json"):
        assert any(url.endswith(name) for url in asked), sorted(asked)
    assert {urlsplit(url).hostname for url in asked if not url.startswith(("blob:", "data:"))} == {"127.0.0.1"}


def test_the_page_is_whole_or_not_there(onnx_folder, tmp_path, monkeypatch):
    with pytest.raises(FileError, match=r"--web` writes one"):
        check_page(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(paths, "web_libraries", lambda: tmp_path / "nothing")
        with pytest.raises(FileError, match=rf"{LIBRARIES[0]}.*python tools/fetch_web.py"):
            write_page(tmp_path, "x")
    assert not list(tmp_path.iterdir())
    written = write_page(tmp_path, "x")
    check_page(tmp_path)
    assert {path.name for path in written} >= {"index.html", "worker.js", "name.json", *LIBRARIES}
    # Once more, over itself.
    assert write_page(tmp_path, "y") == written
    assert json.loads((tmp_path / "web/name.json").read_text()) == {"name": "y"}


@pytest.mark.parametrize("name", ["index.html", "web/mine.js"])
def test_another_page_is_not_written_over(name, edgekit, tmp_path):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("precious")
    done = edgekit("convert", paths.demo_checkpoint(), "--to", "onnx", "--web", "--out", tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "is none of edgekit's" in done.stderr
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["precious"]


def test_a_dry_run_counts_the_page(edgekit, tmp_path):
    line = ("convert", paths.demo_checkpoint(), "--to", "onnx", "--dry-run", "--out", tmp_path / "made")
    disk = [json.loads(edgekit(*line, *more, "--json").stdout)["preflight"]["disk"] for more in ((), ("--web",))]
    assert not list(tmp_path.iterdir())
    shown = edgekit(*line, "--web").stdout
    assert "index.html" in shown
    assert "page" in shown
    (tmp_path / "page").mkdir()
    # Under the name that the conversion gives it.
    written = write_page(tmp_path / "page", paths.demo_checkpoint().name)
    assert disk[1] - disk[0] == sum(path.stat().st_size for path in written)


def test_the_command(edgekit, tmp_path):
    done = edgekit("convert", paths.demo_checkpoint(), "--to", "onnx", "--web", "--out", tmp_path / "made")
    assert done.returncode == 0, done.stderr
    check_page(tmp_path / "made")
    assert f"edgekit run --web {tmp_path / 'made'}" in done.stderr
    refused = edgekit("convert", paths.demo_checkpoint(), "--web", "--out", tmp_path / "no")
    assert refused.returncode == 2
    assert not (tmp_path / "no").exists()
    (tmp_path / "made/index.html").unlink()
    refused = edgekit("run", tmp_path / "made", "--web")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)


def test_the_command_serves_until_ctrl_c(onnx_folder, environment):
    write_page(onnx_folder, "gemma4-pico")
    line = [sys.executable, "-m", "edgekit", "run", "--web", str(onnx_folder), "--port", "0"]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=environment) as process:
        url = process.stdout.readline().strip()
        with urlopen(f"{url}config.json", timeout=30) as answer:
            assert json.load(answer)["model_type"] == "gemma4"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in said
