"""Debian's Chromium without a screen, driven through chromedriver; the WebDriver protocol in its few words."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from needed import needed

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window."""

    def __init__(self, driver: str, profile: Path, *flags: str) -> None:
        self._driver = driver
        options = {"args": [*FLAGS, f"--user-data-dir={profile}", *flags]}
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
        }
        found = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{found['sessionId']}"

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._driver + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except HTTPError as problem:
            raise AssertionError(json.load(problem)["value"]["message"]) from None

    def _do(self, path: str, **body: Any) -> Any:
        return self._ask("POST", self._session + path, body)

    def open(self, url: str) -> None:
        self._do("/url", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """Return what a script's `return` gives."""
        return self._do("/execute/sync", script=script, args=list(arguments))

    def element(self, selector: str) -> dict[str, str]:
        found: dict[str, str] = self._do("/element", using="css selector", value=selector)
        return found

    def type(self, selector: str, text: str) -> None:
        self._do(f"/element/{self.element(selector)[_ELEMENT]}/value", text=text)

    def click(self, selector: str) -> None:
        self._do(f"/element/{self.element(selector)[_ELEMENT]}/click")

    def text(self, selector: str) -> str:
        found: str = self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        return found

    def drop(self, path: Path, kind: str) -> None:
        """Drop a file onto the page, as from a folder's window."""
        self.run(
            """
            const bytes = Uint8Array.from(atob(arguments[0]), (one) => one.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], arguments[1], { type: arguments[2] }));
            for (const name of ['dragover', 'drop'])
              document.body.dispatchEvent(
                new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
            """,
            base64.b64encode(path.read_bytes()).decode(),
            path.name,
            kind,
        )

    def wait(self, ready: Callable[[], Any], seconds: float = 120) -> Any:
        """Return the first true value; an AssertionError where none comes."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if found := ready():
                return found
            time.sleep(0.05)
        raise AssertionError(f"not in {seconds} s; the page says: {self.text('body')}; {self.complaints()}")

    def asked(self) -> list[str]:
        """Return the addresses that were asked for since the last time."""
        events = [json.loads(each["message"])["message"] for each in self._do("/se/log", type="performance")]
        return [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """Return what stands in the console."""
        return [each["message"] for each in self._do("/se/log", type="browser")]

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._do("/goog/cdp/execute", cmd=command, params=parameters)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._session}/screenshot")))

    def close(self) -> None:
        self._ask("DELETE", self._session)


@contextmanager
def browser(profile: Path, *flags: str) -> Iterator[Browser]:
    """Start chromedriver on a free port, and Chromium."""
    command = [needed("chromedriver", "chromium chromium-driver"), "--port=0", "--log-level=SEVERE"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "successfully on port" in line)
        port = int("".join(filter(str.isdigit, line.rpartition("port")[2])))
        window = Browser(f"http://127.0.0.1:{port}", profile, *flags)
        try:
            yield window
        finally:
            window.close()
    finally:
        process.terminate()
        process.wait()
