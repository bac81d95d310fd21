"""The page on which a person marks strokes, served to browsers on this machine."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tt_actions.errors import UserError
from tt_actions.evaluation.html_page import Page, build_page
from tt_actions.label.joint_series import JointSeries, list_lines
from tt_actions.label.playable import Conversion, is_playable
from tt_actions.label.session import LabelSession, StaleRevisionError
from tt_actions.local_server import HOST, LocalServer, read_json
from tt_actions.match.report_drawings import class_styles
from tt_actions.video.info import probe

_TEMPLATE = Path(__file__).with_name("label.html.j2")
_PATIENCE_S = 3600.0  # a browser reads a video as it plays it, and stops while it is paused


class LabelPage:
    """Serves the page of a session. Every window sees what the others have changed.

    Args:
        session: The videos and their marks.
        joints: Joints of each video, to draw on it.
        marks: The file with the marks, for the page's texts.
        port: Port to serve at; 0 chooses a free one.
        host: Address to serve at.

    Raises:
        VideoError: If a video can't be read.
        OSError: If the address is not available.
    """

    def __init__(
        self,
        session: LabelSession,
        joints: Sequence[JointSeries],
        marks: Path,
        port: int,
        host: str = HOST,
    ) -> None:
        self.session, self.joints, self.marks = session, joints, marks
        self._run = f"{time.time_ns():x}"
        self._names: dict[str, None] = {}  # in the order in which they came, for the keys 1 to 9
        for number in range(len(session.videos)):
            self._state(number)  # learns the class names of all videos
        page = self._render()
        self._html = page.html.encode("utf-8", "replace")
        policy = f"{page.policy}; frame-ancestors 'none'"
        self.server = LocalServer(self._routes(), policy, host, port, patience_s=_PATIENCE_S)
        self._folder = TemporaryDirectory(prefix="tt-actions-label-", ignore_cleanup_errors=True)
        self._conversions = [
            Conversion(video, Path(self._folder.name) / f"{number}.mp4")
            for number, video in enumerate(session.videos)
        ]

    def _render(self) -> Page:
        videos: list[dict[str, Any]] = []
        for number, video in enumerate(self.session.videos):
            info = probe(video)
            size = {"width": info.width, "height": info.height}
            joints = self.joints[number].points is not None
            name = self.session.state(number)["name"]
            videos.append({"name": name, "plays": is_playable(video), "joints": joints, **size})
        allowed = "img-src data:; connect-src 'self'; media-src 'self'"
        data = {"run": self._run, "videos": videos, "lines": list_lines(), "marks": str(self.marks)}
        return build_page(_TEMPLATE, allowed, data=data, title=videos[0]["name"])

    def _routes(self) -> list[Route]:
        return [
            Route("/", self._send_page),
            Route("/state/{video:int}", self._send_state),
            Route("/video/{video:int}", self._send_video),
            Route("/joints/{video:int}", self._send_joints),
            Route("/conversion/{video:int}", self._send_progress),
            Route("/convert", self._convert, methods=["POST"]),
            Route("/apply", self._apply, methods=["POST"]),
            Route("/train", self._train, methods=["POST"]),
        ]

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self.server.url

    def close(self) -> None:
        """Stop the server and remove converted videos; the session stays open."""
        self.server.close()
        for conversion in self._conversions:
            conversion.stop()
        self._folder.cleanup()

    def _state(self, video: int) -> dict[str, Any]:
        """Return the state of a video with the class names of all, and how each is drawn."""
        return self._dress(self.session.state(video))

    def _dress(self, state: dict[str, Any]) -> dict[str, Any]:
        self._names |= dict.fromkeys(state["class_names"])
        styles = class_styles(tuple(self._names))
        learning = state["learning"]
        # marks in other videos and trainings change what is shown too
        version = f"{state['revision']}-{len(learning['history'])}-{sum(learning['num_by_class'].values())}"
        return {**state, "version": version, "classes": [style._asdict() for style in styles]}

    def _video_of(self, given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < len(self.session.videos):
            raise HTTPException(404, "There is no such video.")
        return given

    async def _send_page(self, _request: Request) -> Response:
        return HTMLResponse(self._html)

    async def _send_state(self, request: Request) -> Response:
        """Send the state of a video, or nothing if the window has it already."""
        video = self._video_of(request.path_params["video"])
        state = await run_in_threadpool(self._state, video)
        headers = {"Run": self._run}
        if request.query_params.get("known") == state["version"]:
            return Response(status_code=204, headers=headers)
        return JSONResponse(state, headers=headers)

    async def _apply(self, request: Request) -> Response:
        content = await read_json(request)
        video = self._video_of(content.get("video"))
        action, revision = content.get("action"), content.get("revision")
        if not isinstance(action, dict) or not isinstance(revision, int):
            raise HTTPException(400, "Expected an action and a revision.")
        return await _answer(lambda: self._dress(self.session.apply(video, action, revision)))

    async def _train(self, _request: Request) -> Response:
        return await _answer(self.session.train)

    async def _send_video(self, request: Request) -> Response:
        video = self._video_of(request.path_params["video"])
        path, kind = self.session.videos[video], None
        if "converted" in request.query_params:
            conversion = self._conversions[video]
            if not conversion.is_done:
                raise HTTPException(404, "The video is not converted yet.")
            path, kind = conversion.out, "video/mp4"
        if not path.is_file():
            raise HTTPException(404, "The video is gone.")
        return FileResponse(path, media_type=kind)

    async def _convert(self, request: Request) -> Response:
        conversion = self._conversions[self._video_of((await read_json(request)).get("video"))]
        conversion.start()
        return JSONResponse(conversion.progress)

    async def _send_progress(self, request: Request) -> Response:
        return JSONResponse(self._conversions[self._video_of(request.path_params["video"])].progress)

    async def _send_joints(self, request: Request) -> Response:
        joints = self.joints[self._video_of(request.path_params["video"])]
        try:
            start_s, end_s = (float(request.query_params[name]) for name in ("start", "end"))
        except (KeyError, ValueError) as error:
            raise HTTPException(400, "Expected `start` and `end` in seconds.") from error
        return JSONResponse(await run_in_threadpool(joints.between, start_s, end_s))


async def _answer(work: Callable[[], dict[str, Any]]) -> Response:
    """Do something that a user's mistake can end, and answer with what it returns or with the message."""
    try:
        return JSONResponse(await run_in_threadpool(work))
    except StaleRevisionError as error:
        return JSONResponse({"message": str(error)}, 409)
    except UserError as error:
        return JSONResponse({"message": str(error)}, 400)
