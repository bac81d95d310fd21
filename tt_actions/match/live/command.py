"""The command ``live``: a source to the terminal, to a page in the browser, and in the end to files."""

import csv
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tt_actions.clips.strokes import IDLE, Stroke
from tt_actions.errors import VideoError
from tt_actions.files import explain_failure
from tt_actions.match.live.page import HOST, PORT, LivePage, is_local
from tt_actions.match.live.results import LiveResult, LiveStatus, LiveStroke
from tt_actions.match.live.session import LiveAnalysis
from tt_actions.match.live.source import RETRY_S, LiveSource
from tt_actions.match.live.view import LiveView
from tt_actions.match.overlay import write_annotated
from tt_actions.match.report_page import write_report_page
from tt_actions.match.results_folder import ANNOTATED
from tt_actions.match.summary import write_clock
from tt_actions.recognition.analysis import STROKE_COLUMNS, stroke_row, write_analysis
from tt_actions.recognition.loading import load
from tt_actions.video.regions import Crop
from tt_actions.video.types import Roi

_REDRAW_S = 0.25


class Terminal:
    """Writes a line a stroke, and at the foot of a terminal how the analysis stands.

    Args:
        title: Name of the source.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.console = Console(highlight=False, soft_wrap=True)
        self.foot = Live(console=self.console, auto_refresh=False, transient=True)
        self.state = ("running", "")
        self.drawn_s = 0.0

    def __enter__(self) -> "Terminal":
        if self.console.is_terminal:
            self.foot.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.foot.stop()

    def say(self, text: str) -> None:
        """Write a line.

        Args:
            text: What; letters that would steer the terminal are question marks.
        """
        plain = "".join(letter if letter.isprintable() else "?" for letter in text)
        self.console.print(Text(plain))
        self.console.file.flush()

    def tell_stroke(self, told: LiveStroke) -> None:
        """Write a stroke.

        Args:
            told: It.
        """
        stroke, confidence = told.stroke, told.stroke.confidence
        sure = "" if confidence is None else f"{100 * confidence:3.0f} %"
        tenths = int(10 * stroke.start_s) % 10
        self.say(
            f"{write_clock(stroke.start_s)}.{tenths}  {stroke.player:<10} {stroke.label:<20} {sure}  "
            f"delay {told.delay_s:.2f} s"
        )

    def tell_status(self, status: LiveStatus) -> None:
        """Write what has become of the source, and refresh the foot.

        Args:
            status: How the analysis stands.
        """
        state = (status.state, status.message)
        if state != self.state:
            if status.state in ("running", "lost"):
                became = "is there again" if status.state == "running" else f"is lost: {status.message}"
                self.say(f"{write_clock(status.time_s)}  {self.title} {became}.")
            self.state = state
        if self.console.is_terminal and time.monotonic() > self.drawn_s + _REDRAW_S:
            self.drawn_s = time.monotonic()
            delay = "" if status.delay_s is None else f"  delay {status.delay_s:.2f} s"
            line = f"{write_clock(status.time_s)}  {status.fps:.1f} frames a second{delay}"
            self.foot.update(Text(f"{line}  {status.num_dropped} dropped  {status.state}", "dim"))
            self.foot.refresh()


@contextmanager
def stopped_by_signals(analysis: LiveAnalysis) -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end the analysis as if the source were over, while the block runs.

    Args:
        analysis: What is to end.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        analysis.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def live(
    *,
    checkpoint: Path,
    source: str,
    out: Path,
    players: tuple[str, ...] = (),
    roi: Sequence[Roi] = (),
    crop: Crop | None = None,
    host: str = HOST,
    port: int = PORT,
    no_page: bool = False,
    retry_s: float = RETRY_S,
    lag: int | None = None,
) -> None:
    """Find the strokes in a camera, a stream or a video file while it runs.

    A page shows the strokes as they end. When the source is over, the files that ``analyze`` writes are
    written.

    Args:
        checkpoint: Checkpoint of a trained model.
        source: Number of a camera, address of a stream such as rtsp://..., or a video file, which is played
            in real time.
        out: Folder to write to; it is created if needed.
        players: Names of the players, in the order of their regions or from left to right, such as
            left,right (default: one player).
        roi: Region of a player in pixels; give it once for each player, or once for all (default: that of the
            training).
        crop: Whether to follow the player (default: as in the training).
        host: Address of the page (default: 127.0.0.1).
        port: Port of the page; 0 chooses a free one (default: 8000).
        no_page: Do not serve a page.
        retry_s: Seconds during which a lost source is tried again (default: 30).
        lag: Maximum decision delay in frames (default: about half a second).

    Raises:
        VideoError: If the source can't be read, or failed on the way; then the files are written first.
        ValueError: If the checkpoint or an option is not as expected.
        OSError: If there is no checkpoint, a file can't be written, or the page's address can't be had.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"Expected a new or an empty folder to write to, but got '{out}'. Name another."
        )
    watched = LiveSource(source, retry_s)
    analysis = LiveAnalysis(load(checkpoint), watched, players, roi, crop, lag)
    with _journal(out) as journal:
        with Terminal(watched.title) as terminal, stopped_by_signals(analysis):
            result = _follow(analysis, terminal, None if no_page else (host, port), journal)
        _write(out, analysis, result)
    terminal.say(_sum_up(result))
    if result.state == "failed":
        raise VideoError(f"{result.message.rstrip('.')}. What was found till then is in '{out}'.")


@contextmanager
def _journal(out: Path) -> Iterator[Callable[[Stroke], None]]:
    """Keep strokes on disk as they end, till the files are written: a power cut takes none of them."""
    path = out / "strokes_so_far.csv"
    with explain_failure(path, "or choose another `--out`"):
        out.mkdir(parents=True, exist_ok=True)
        file = path.open("w", newline="", encoding="utf-8", buffering=1)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(STROKE_COLUMNS)
    try:
        with file:
            yield lambda stroke: writer.writerow(stroke_row(stroke))
    except BaseException:
        if path.read_text("utf-8").count("\n") == 1:  # nothing happened
            path.unlink()
            with suppress(OSError):
                out.rmdir()
        raise
    path.unlink()


def _follow(
    analysis: LiveAnalysis,
    terminal: Terminal,
    address: tuple[str, int] | None,
    journal: Callable[[Stroke], None],
) -> LiveResult:
    width, height = analysis.start()
    names = tuple(name for name in analysis.frame_classes if name != IDLE)
    view = LiveView(analysis.source.title, analysis.tracks, names, width, height)
    page = None if address is None else LivePage(view, *address)
    if page is not None:
        terminal.say(f"Watch at {page.url}; Ctrl-C stops and writes the files.")
        if not is_local(page.host):
            terminal.say(f"Everybody on the network who reaches {page.host} can watch.")

    def tell_stroke(told: LiveStroke) -> None:
        terminal.tell_stroke(told)
        journal(told.stroke)
        if page is not None:
            page.add_stroke(told)

    def tell_status(status: LiveStatus) -> None:
        terminal.tell_status(status)
        if page is not None:
            page.update(status)

    result = analysis.run(tell_stroke, tell_status)
    if page is not None:
        page.close()
    return result


def _write(out: Path, analysis: LiveAnalysis, result: LiveResult) -> None:
    """Write the files of an analysis; of a camera or a stream there is no video to draw on."""
    write_analysis(out, result.analysis)
    write_report_page(out, result.analysis)
    if analysis.source.is_file:
        write_annotated(out / ANNOTATED, result.analysis, analysis.tracks)
        write_report_page(out, result.analysis, ANNOTATED)
    sys.stdout.write(f"{out / 'report.html'}\n")


def _sum_up(result: LiveResult) -> str:
    num_strokes = len(result.strokes)
    strokes = "1 stroke" if num_strokes == 1 else f"{num_strokes} strokes"
    frames = "1 frame" if result.num_dropped == 1 else f"{result.num_dropped} frames"
    dropped = f"{frames} dropped" if result.num_dropped else "no frame dropped"
    return f"{strokes} in {write_clock(result.analysis.duration_s)}, {dropped}."
