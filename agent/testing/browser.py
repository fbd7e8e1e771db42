"""A headless Chromium driven over its debugging protocol: open a page, ask it questions, note its complaints."""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from itertools import count
from pathlib import Path
from typing import Any

from perpfut_lib.types import JsonObject

PATIENCE = 30.0  # seconds; a page of plain files needs well under one


class Browser:
    """One tab without network: every host name fails to resolve, so anything that is fetched is a complaint."""

    def __init__(self) -> None:
        import websocket  # of the extra `dev`: neither the agent nor its console needs it

        self._profile = tempfile.mkdtemp(prefix="perpfut-browser-")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"]
        flags += [f"--remote-debugging-port={port}", "--remote-allow-origins=*", f"--user-data-dir={self._profile}"]
        flags += ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "about:blank"]
        command = [str(executable()), *flags]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._socket = websocket.create_connection(self._address(port), timeout=PATIENCE)
        self._numbers = count(1)
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._call(f"{domain}.enable")

    def open(self, address: str, width: int = 1400, *, dark: bool = False) -> None:
        """Open a page at a window width and wait until it is loaded and its formulas are set."""
        self.complaints = []
        self.resize(width)
        self.darken(dark)
        self._call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.ask("new Promise(done => setTimeout(done, 200))")

    def resize(self, width: int, height: int = 1000) -> None:
        """Make the window so many pixels wide and tall."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def settle(self) -> None:
        """Wait until the page has followed a new width: its theme lets the keyboard reach what scrolls 300 ms later."""
        self.ask("new Promise(done => requestAnimationFrame(() => setTimeout(done, 400)))")

    def darken(self, dark: bool) -> None:
        """Prefer dark pages, or light ones; the page that is open follows at once."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", features=scheme)

    def ask(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        options = {"returnByValue": True, "awaitPromise": True}
        answer = self._call("Runtime.evaluate", expression=expression, **options)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{expression[:60]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.ask(f"Boolean({expression})"):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.05)

    def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page, in a window as tall as the page: side bars move when only a part shows."""
        width, usual = self.ask("window.innerWidth"), self.ask("window.innerHeight")
        self.resize(width, int(self._call("Page.getLayoutMetrics")["cssContentSize"]["height"]))
        self.settle()
        form = {"format": "webp", "quality": 80} if path.suffix == ".webp" else {}
        picture = self._call("Page.captureScreenshot", **form)
        self.resize(width, usual)
        path.write_bytes(base64.b64decode(picture["data"]))

    def press(self, key: str, text: str = "") -> None:
        """Press and release a key, such as ``Tab`` or ``Enter``; ``text`` is what it types."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39}
        told = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]} | ({"text": text} if text else {})
        self._call("Input.dispatchKeyEvent", type="keyDown", **told)
        self._call("Input.dispatchKeyEvent", type="keyUp", **told)

    def close(self) -> None:
        """End the browser."""
        self._socket.close()
        self._process.terminate()
        self._process.wait(PATIENCE)
        shutil.rmtree(self._profile, ignore_errors=True)

    def _address(self, port: int) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=1) as answer:
                    tabs = json.load(answer)
                return next(str(tab["webSocketDebuggerUrl"]) for tab in tabs if tab["type"] == "page")
            except (OSError, ValueError, StopIteration):
                assert time.monotonic() < deadline, "the browser did not start"
                time.sleep(0.1)

    def _call(self, method: str, **parameters: Any) -> JsonObject:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return dict(message["result"])
            self._note(message)

    def _note(self, event: JsonObject) -> None:
        """Keep what a reader's console would show."""
        kind, told = event.get("method"), event.get("params", {})
        if kind == "Runtime.exceptionThrown":
            self.complaints.append(str(told["exceptionDetails"].get("text")))
        elif kind == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning"):
            self.complaints.append(str([argument.get("value") for argument in told["args"]]))
        elif kind == "Network.loadingFailed" and not told.get("canceled"):
            self.complaints.append(f"not loaded: {told['errorText']}")
        elif kind == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")


def executable() -> Path | None:
    """Return a Chromium of this machine, if there is one."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return next((Path(name) for name in found if name), None)
