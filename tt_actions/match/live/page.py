"""The page of a live analysis: a small web server, by default for browsers on this machine only."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Lock
from typing import Any

import av
import cv2
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from tt_actions.local_server import HOST, LocalServer
from tt_actions.match.live.results import LiveStatus, LiveStroke
from tt_actions.match.live.view import SHOWN_S, LiveView, render_live_page
from tt_actions.video.scaling import Scaler

PICTURE_WIDTH = 640

_PAUSE_S = 0.2  # between two updates to a browser
_PICTURE_S = 0.08  # between two frames to a browser
_JPEG_QUALITY = 80


class LivePage:
    """Serves the page in its own thread. It stores one frame, and only the strokes that the page shows.

    A browser asks for the next frame when it has received the last, and gets the next update when it has read
    the last: a slow browser sees fewer of them and slows nothing down.

    Args:
        view: The fixed contents of the page.
        port: Port to serve at; 0 chooses a free one.
        host: Address to serve at.

    Raises:
        OSError: If the address is not available.
    """

    def __init__(self, view: LiveView, port: int, host: str = HOST) -> None:
        self.view = view
        self.version = 0  # increases with each change
        policy, self.html = render_live_page(view)
        self._run = f"{time.time_ns():x}"
        self._changing = Lock()
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
        routes = [
            Route("/", self._send_page),
            Route("/picture.jpg", self._send_picture),
            Route("/events", self._send_events),
        ]
        advice = ", or turn the page off with `--no-page`"
        self.server = LocalServer(routes, policy, host, port, advice=advice)

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self.server.url

    def add_stroke(self, live_stroke: LiveStroke) -> None:
        """Show a stroke.

        Args:
            live_stroke: The stroke.
        """
        stroke = live_stroke.stroke
        player = next(number for number, track in enumerate(self.view.tracks) if track.name == stroke.player)
        label = self.view.class_names.index(stroke.label)
        with self._changing:
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
        with self._changing:
            if self._status is None or status.frame is not self._status.frame:
                self._number += 1
            self._status = status
            self.version += 1
        self.server.notify()

    def close(self) -> None:
        """Stop the server, after a short time in which the last update reaches the browsers."""
        self.server.close()

    def news(self, since: int) -> tuple[str, int, int]:
        """Return an update as JSON, with the number of strokes so far and the version of the page.

        Args:
            since: Number of strokes that the browser has.
        """
        with self._changing:
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

    async def _send_page(self, _request: Request) -> Response:
        return HTMLResponse(self.html)

    async def _send_picture(self, request: Request) -> Response:
        after = request.query_params.get("after", "")
        number = int(after) if after.isdecimal() else -1
        await asyncio.sleep(_PICTURE_S if number >= 0 else 0)
        await self.server.wait_until(lambda: self._number != number, 2.0)
        number, jpeg = await run_in_threadpool(self._picture, number)
        return Response(jpeg, 200 if jpeg else 204, {"Number": str(number)}, "image/jpeg")

    def _picture(self, after: int) -> tuple[int, bytes]:
        """Return the newest frame as a JPEG file with its number, or nothing if the browser has it."""
        with self._changing:
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

    async def _send_events(self, _request: Request) -> Response:
        headers = {"Connection": "close"}
        return StreamingResponse(self._events(), headers=headers, media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        num_strokes, is_over = 0, False
        while not is_over:
            is_over = self.server.is_closing  # read first, so the last update is sent too
            news, num_strokes, version = self.news(num_strokes)
            yield f"data: {news}\n\n"
            await asyncio.sleep(_PAUSE_S)
            await self.server.wait_until(lambda seen=version: self.version != seen, 1.0)  # type: ignore[misc]
