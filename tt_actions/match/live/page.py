"""The page of a live analysis: a small web server, by default for browsers on this machine only."""

import ipaddress
import json
import socket
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore, Condition, Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import av
import cv2

from tt_actions.match.live.results import LiveStatus, LiveStroke
from tt_actions.match.live.view import SHOWN_S, LiveView, render_live_page
from tt_actions.video.scaling import Scaler

HOST = "127.0.0.1"
"""Default address, which only browsers on this machine reach."""

PORT = 8000

PICTURE_WIDTH = 640

_PAUSE_S = 0.2  # between two updates to a browser
_PICTURE_S = 0.08  # between two frames to a browser
_PATIENCE_S = 10.0  # timeout for a browser that reads nothing
_MAX_REQUESTS = 64  # at the same time
_JPEG_QUALITY = 80


class LivePage:
    """Serves the page in its own threads. It stores one frame, and only the strokes that the page shows.

    A browser asks for the next frame when it has received the last, and gets the next update when it has read
    the last: a slow browser sees fewer of them and slows nothing down. Requests for another host name are
    rejected. Otherwise a web page could read the analysis by pointing its own domain at this machine.

    Args:
        view: The fixed contents of the page.
        host: Address to serve at.
        port: Port to serve at; 0 chooses a free one.

    Raises:
        OSError: If the address is not available.
    """

    def __init__(self, view: LiveView, host: str = HOST, port: int = PORT) -> None:
        self.view, self.host = view, host
        self.is_closed = False
        self.version = 0  # increases with each change
        self.changed = Condition()
        self.policy, self.html = render_live_page(view)
        self._run = f"{time.time_ns():x}"
        self._status: LiveStatus | None = None
        self._strokes: list[dict[str, Any]] = []
        self._num_strokes = 0
        self._counts: Counter[tuple[int, int]] = Counter()
        self._number = -1  # of the newest frame
        self._encoding = Lock()
        self._encoded = (-1, b"")
        scale = min(1.0, PICTURE_WIDTH / view.width)
        size = max(1, round(view.height * scale)), max(1, round(view.width * scale))
        self._scaler = Scaler(Path(view.title), size)
        try:
            self.server = _Server((host, port), self)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no such port"
            raise OSError(
                f"Expected to serve the page at {host}, port {port}, but got: {reason}. Choose "
                "another `port` (0 chooses a free one), or turn the page off with `--no-page`."
            ) from error
        Thread(target=self.server.serve_forever, name="live page", daemon=True).start()

    @property
    def url(self) -> str:
        """The URL of the page."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server.server_address[1]}/"

    def add_stroke(self, live_stroke: LiveStroke) -> None:
        """Show a stroke.

        Args:
            live_stroke: The stroke.
        """
        stroke = live_stroke.stroke
        player = next(number for number, track in enumerate(self.view.tracks) if track.name == stroke.player)
        label = self.view.class_names.index(stroke.label)
        with self.changed:
            self.version += 1
            cells = (stroke.start_s, stroke.end_s, stroke.confidence or 0.0, live_stroke.delay_s)
            start, end, confidence, delay = (round(cell, 3) for cell in cells)
            news = {"number": self._num_strokes, "player": player, "label": label, "start": start, "end": end}
            self._strokes.append(news | {"confidence": confidence, "delay": delay})
            self._num_strokes += 1
            self._counts[player, label] += 1
            while self._strokes[0]["end"] < end - SHOWN_S and len(self._strokes) > 1:
                self._strokes.pop(0)

    def update(self, status: LiveStatus) -> None:
        """Show the current state of the analysis.

        Args:
            status: The state.
        """
        with self.changed:
            if self._status is None or status.frame is not self._status.frame:
                self._number += 1
            self._status = status
            self.version += 1
            self.changed.notify_all()

    def close(self) -> None:
        """Stop the server, after a short time in which the last update reaches the browsers."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
        time.sleep(2 * _PAUSE_S)
        self.server.shutdown()
        self.server.server_close()

    def news(self, since: int) -> tuple[str, int, int]:
        """Return an update as JSON, with the number of strokes so far and the version of the page.

        Args:
            since: Number of strokes that the browser has.
        """
        with self.changed:
            status = self._status
            players, classes = range(len(self.view.tracks)), range(len(self.view.class_names))
            news: dict[str, Any] = {
                "run": self._run,
                "strokes": [stroke for stroke in self._strokes if stroke["number"] >= since],
                "counts": [[self._counts[player, label] for label in classes] for player in players],
            }
            num_strokes, version = self._num_strokes, self.version
        if status is not None:
            news |= status._asdict()
            del news["frame"]
            labels = {name: number for number, name in enumerate(self.view.class_names)}
            news["now"] = [(labels.get(name, -1), round(share, 3)) for name, share in status.now]
        return json.dumps(news), num_strokes, version

    def wait_for_news(self, version: int) -> None:
        """Wait until something changes, but at most one second.

        Args:
            version: Version that the browser has.
        """
        with self.changed:
            self.changed.wait_for(lambda: self.version != version or self.is_closed, 1.0)

    def picture(self, after: int, timeout_s: float) -> tuple[int, bytes]:
        """Return the newest frame with its number, or only the number if there is no newer frame.

        Args:
            after: Number of the frame that the browser has.
            timeout_s: Maximum seconds to wait for a newer one.

        Returns:
            The number and the contents of a JPEG file.
        """
        with self.changed:
            self.changed.wait_for(lambda: self._number != after or self.is_closed, timeout_s)
            number, status = self._number, self._status
        if status is None or number == after:
            return number, b""
        with self._encoding:  # once for all browsers
            if self._encoded[0] != number:
                self._encoded = number, self._encode(status.frame)
            return self._encoded

    def _encode(self, frame: av.VideoFrame) -> bytes:
        image = cv2.cvtColor(self._scaler(frame), cv2.COLOR_RGB2BGR)
        return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()

    def serves(self, host: str) -> bool:
        """Return whether a request is addressed to this server, by an IP address or one of its names.

        Args:
            host: The request's ``Host`` header.
        """
        name = ""
        try:
            name = urlsplit(f"//{host}").hostname or ""
            ipaddress.ip_address(name)
        except ValueError:
            return bool(name) and name in {"localhost", self.host.lower(), socket.gethostname().lower()}
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # browsers keep their requests open
    request_queue_size = _MAX_REQUESTS

    def __init__(self, address: tuple[str, int], page: LivePage) -> None:
        self.page = page
        self.free = BoundedSemaphore(_MAX_REQUESTS)
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a request in a thread, or close it if there are too many."""
        if self.free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a request, and free its slot."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors of browsers that have disconnected."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "tt-actions", ""
    timeout = _PATIENCE_S
    server: _Server

    def do_GET(self) -> None:
        """Answer a request."""
        address = urlsplit(self.path)
        if not self.server.page.serves(self.headers.get("Host", "")):
            self._answer(421, "text/plain; charset=utf-8", b"This server has another host name.\n")
        elif address.path == "/":
            self._answer(200, "text/html; charset=utf-8", self.server.page.html)
        elif address.path == "/picture.jpg":
            self._send_picture(parse_qs(address.query).get("after", [""])[0])
        elif address.path == "/events":
            self._send_news()
        else:
            self._answer(404, "text/plain; charset=utf-8", b"Page not found.\n")

    def log_message(self, *_: Any) -> None:
        """Log nothing, so the terminal shows only strokes."""

    def _answer(self, status: int, kind: str, body: bytes | None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", self.server.page.policy)
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        for name, value in headers.items():
            self.send_header(name, value)
        if body is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body or b"")

    def _send_picture(self, after: str) -> None:
        time.sleep(_PICTURE_S if after.isdecimal() else 0)
        number, jpeg = self.server.page.picture(int(after) if after.isdecimal() else -1, timeout_s=2.0)
        self._answer(200 if jpeg else 204, "image/jpeg", jpeg, Number=str(number))

    def _send_news(self) -> None:
        page, num_strokes = self.server.page, 0
        self._answer(200, "text/event-stream", None)
        is_over = False
        while not is_over:
            is_over = page.is_closed  # read first, so the last update is sent too
            news, num_strokes, version = page.news(num_strokes)
            self.wfile.write(f"data: {news}\n\n".encode())
            time.sleep(_PAUSE_S)
            page.wait_for_news(version)


def is_local(host: str) -> bool:
    """Return whether a host is reachable from this machine only.

    Args:
        host: A name or an address.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
