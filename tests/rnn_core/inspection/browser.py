"""A headless Chromium, driven through a pipe with its DevTools protocol: messages of JSON that end in a zero byte."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60  # seconds; a page takes well below one


def find_browser() -> str | None:
    return next((found for found in map(shutil.which, NAMES) if found), None)


class Browser:
    """One browser with one page.

    Attributes
    ----------
    complaints : list of str
        What the page wrote to the console, exceptions and failed loads.
    requests : list of str
        Everything the page asked for since :meth:`open`.
    """

    def __init__(self, program: str) -> None:
        self.home = tempfile.mkdtemp()
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()

        def place_pipes() -> None:
            ends = [os.dup(to_browser), os.dup(from_browser)]
            for number, end in zip((3, 4), ends, strict=True):
                os.dup2(end, number)

        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
             "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
             f"--user-data-dir={self.home}"],
            preexec_fn=place_pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_browser)
        os.close(from_browser)
        self._buffer, self._count = b"", 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, path: Path, width: int, height: int = 900, media: str = "") -> None:
        """Load a file at a width in CSS pixels and wait until all of it is there."""
        self.complaints.clear()
        self.requests.clear()
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", media=media)
        self._events.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        self._until(lambda: any(event["method"] == "Page.loadEventFired" for event in self._events))

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self, path: Path, y: float, width: int, height: float) -> None:
        clip = {"x": 0, "y": y, "width": width, "height": height, "scale": 1}
        data = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def pdf_pages(self) -> int:
        data = base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])
        return data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") + data.count(b"/Type /Page/")

    def call(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        answer: list[dict[str, Any]] = []

        def answered() -> bool:
            answer[:] = [event for event in self._events if event.get("id") == self._count]
            return bool(answer)

        self._until(answered)
        self._events.remove(answer[0])
        assert "error" not in answer[0], answer[0]
        return answer[0]["result"]

    def _until(self, done: Any) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, "the browser does not answer"
            piece = os.read(self._read, 1 << 20)
            assert piece, "the browser has gone"
            *messages, self._buffer = (self._buffer + piece).split(b"\0")
            for message in messages:
                self._note(json.loads(message))

    def _note(self, event: dict[str, Any]) -> None:
        event.setdefault("method", "")
        self._events.append(event)
        parameters = event.get("params", {})
        if event["method"] in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded"):
            self.complaints.append(json.dumps(parameters))
        elif event["method"] == "Network.loadingFailed":
            self.complaints.append(parameters["errorText"])
        elif event["method"] == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"][:100])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._session = None
            self.call("Browser.close")
        finally:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE)
            os.close(self._write)
            os.close(self._read)
            shutil.rmtree(self.home, ignore_errors=True)
