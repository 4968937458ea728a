"""A headless Chromium for tests, driven over its DevTools pipe: what a page logs, requests and how wide it is.

The pipe (NUL-terminated JSON on the browser's descriptors 3 and 4) needs no network port and no further package.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

FLAGS = ("--headless", "--hide-scrollbars", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run",
         "--no-default-browser-check", "--disable-extensions", "--disable-dev-shm-usage", "--remote-debugging-pipe")
# For the whole of one page's visit. It bounds a hang; nothing is measured by it.
LIMIT_SECONDS = 120.0


def find_chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Visit:
    """What one load of a page did. requests: addresses, without data URIs; messages: console and log entries; value:
    what the expression gave that the visitor asked for."""

    scroll_width_px: int
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    screenshot: bytes = b""
    num_broken_images: int = 0
    value: Any = None


class Chromium:
    """Context manager; `profile` is a fresh folder for the browser's own files."""

    def __init__(self, executable: str, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # A shell puts the two ends where the browser looks for them, whatever their numbers are here.
        command = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._process = subprocess.Popen(
            ["bash", "-c", command, "bash", executable, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._events, self._last_id = b"", list[dict[str, Any]](), 0
        self._deadline = 0.0

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.close(self._write)  # the browser ends when its pipe does
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)

    def visit(self, address: str, *, width_px: int, dark: bool = False, screenshot: bool = False,
              expression: str = "null") -> Visit:
        """Load `address` in a new tab of that width, wait for the load event, evaluate, then measure."""
        self._deadline = time.monotonic() + LIMIT_SECONDS
        self._events = []
        tab, session = self._open(width_px, dark)
        self._call("Page.navigate", {"url": address}, session)
        self._wait("Page.loadEventFired")
        value = self._evaluate(expression, session)
        result = Visit(int(self._evaluate("document.documentElement.scrollWidth", session)), value=value)
        result.num_broken_images = int(self._evaluate(
            "[...document.images].filter(i => !i.complete || !i.naturalWidth).length", session))
        if screenshot:
            shot = self._call("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True}, session)
            result.screenshot = b64decode(shot["data"])
        self._call("Target.closeTarget", {"targetId": tab})
        result.messages, result.requests = self._messages(), self._requests()
        return result

    def _open(self, width_px: int, dark: bool) -> tuple[str, str]:
        """A blank tab whose events are reported: its id and its session's."""
        tab = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self._call("Target.attachToTarget", {"targetId": tab, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable", {}, session)
        self._call("Emulation.setDeviceMetricsOverride",
                   {"width": width_px, "height": 900, "deviceScaleFactor": 1, "mobile": False}, session)
        self._call("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme",
                                                                "value": "dark" if dark else "light"}]}, session)
        return tab, session

    def _messages(self) -> list[str]:
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"]) for event in self._events if event["method"] in kinds]

    def _requests(self) -> list[str]:
        sent = [event["params"]["request"]["url"] for event in self._events
                if event["method"] == "Network.requestWillBeSent"]
        return [address for address in sent if not address.startswith("data:")]

    def _evaluate(self, expression: str, session: str) -> Any:
        return self._call("Runtime.evaluate", {"expression": expression}, session)["result"].get("value")

    def _call(self, method: str, parameters: dict[str, Any], session: str | None = None) -> dict[str, Any]:
        self._last_id += 1
        message = {"id": self._last_id, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._last_id:
            self._events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _wait(self, method: str) -> None:
        while not any(event["method"] == method for event in self._events):
            self._events.append(self._receive())

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._read], [], [], max(0.0, self._deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"Chromium did not answer in {LIMIT_SECONDS} s")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError(f"Chromium ended with status {self._process.wait()}")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer
