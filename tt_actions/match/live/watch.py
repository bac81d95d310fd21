"""Showing a live analysis in the terminal and on a page, and writing its files at the end."""

import csv
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tt_actions.clips.strokes import Stroke, is_stroke
from tt_actions.errors import VideoError
from tt_actions.files import explain_failure
from tt_actions.local_server import is_local
from tt_actions.match.key_frames import KeyFrames
from tt_actions.match.live.page import LivePage
from tt_actions.match.live.results import LiveResult, LiveStatus, LiveStroke
from tt_actions.match.live.session import LiveAnalysis
from tt_actions.match.live.view import LiveView
from tt_actions.match.overlay import write_annotated
from tt_actions.match.report_page import write_report_page
from tt_actions.match.results_folder import ANNOTATED
from tt_actions.recognition.analysis import STROKE_COLUMNS, stroke_row, write_analysis, write_clock
from tt_actions.video.damage import collect_damage

NEARLY_NONE = 0.05
"""Largest share of dropped images of which the results say nothing."""

_REDRAW_S = 0.25


class Terminal:
    """Prints one line per stroke, and a status line at the bottom of the terminal.

    Args:
        title: Name of the source.
        unit: What is counted per second.
    """

    def __init__(self, title: str, unit: str) -> None:
        self.title, self.unit = title, unit
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

    def print_line(self, text: str) -> None:
        """Print a line.

        Args:
            text: The line; unprintable characters become question marks.
        """
        plain = "".join(letter if letter.isprintable() else "?" for letter in text)
        self.console.print(Text(plain))
        self.console.file.flush()

    def print_stroke(self, live_stroke: LiveStroke) -> None:
        """Print a stroke.

        Args:
            live_stroke: The stroke.
        """
        stroke, confidence = live_stroke.stroke, live_stroke.stroke.confidence
        percent = "" if confidence is None else f"{100 * confidence:3.0f} %"
        tenths = int(10 * stroke.start_s) % 10
        self.print_line(
            f"{write_clock(stroke.start_s)}.{tenths}  {stroke.player:<10} {stroke.label:<20} {percent}  "
            f"delay {live_stroke.delay_s:.2f} s"
        )

    def print_status(self, status: LiveStatus) -> None:
        """Print when the source is lost or back, and refresh the status line.

        Args:
            status: State of the analysis.
        """
        state = (status.state, status.message)
        if state != self.state:
            if status.state in ("running", "lost"):
                change = "is back" if status.state == "running" else f"is lost: {status.message}"
                self.print_line(f"{write_clock(status.time_s)}  {self.title} {change}.")
            self.state = state
        if self.console.is_terminal and time.monotonic() > self.drawn_s + _REDRAW_S:
            self.drawn_s = time.monotonic()
            delay = "" if status.delay_s is None else f"  delay {status.delay_s:.2f} s"
            line = f"{write_clock(status.time_s)}  {status.fps:.1f} {self.unit} per second{delay}"
            self.foot.update(Text(f"{line}  {status.num_dropped} dropped  {status.state}", "dim"))
            self.foot.refresh()


@contextmanager
def stopped_by_signals(analysis: LiveAnalysis) -> Iterator[None]:
    """Make Ctrl-C and SIGTERM end the analysis as the end of the source would, inside the block.

    Args:
        analysis: The analysis to end.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        analysis.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def watch(analysis: LiveAnalysis, out: Path, address: tuple[str, int] | None) -> None:
    """Run a live analysis to its end, show it, and write the files.

    Args:
        analysis: The analysis, which has not started.
        out: Folder to write to; it is created if needed.
        address: Host and port of the page; None for no page.

    Raises:
        VideoError: If the source can't be read, or if it fails later; the files are then written first.
        OSError: If a file can't be written, or the page's address isn't available.
    """
    with _journal(out) as journal:
        terminal = Terminal(analysis.source.title, analysis.reader.unit)
        with terminal, stopped_by_signals(analysis), collect_damage() as damage:
            result = _follow(analysis, terminal, address, journal)
        result = _with_remarks(result, describe_drops(result))
        with collect_damage(*damage):
            _write(out, analysis, _with_remarks(result, damage))
    for line in (_summarise(result), *result.analysis.remarks):
        terminal.print_line(line)
    if result.state == "failed":
        raise VideoError(f"{result.message.rstrip('.')}. The results until then are in '{out}'.")


def describe_drops(result: LiveResult) -> list[str]:
    """Return a remark if the machine was too slow to look at nearly all images.

    Args:
        result: The result of the analysis.
    """
    num_images = result.num_dropped + len(result.latencies_s)
    if result.num_dropped <= NEARLY_NONE * num_images:
        return []
    share = f"{result.num_dropped} of {num_images} images ({result.num_dropped / num_images:.0%})"
    return [f"The machine was too slow: {share} were dropped, so strokes may be missing or wrong."]


def _with_remarks(result: LiveResult, remarks: Sequence[str]) -> LiveResult:
    analysis = replace(result.analysis, remarks=(*remarks, *result.analysis.remarks))
    return replace(result, analysis=analysis)


@contextmanager
def _journal(out: Path) -> Iterator[Callable[[Stroke], None]]:
    """Save each stroke to disk as it ends, until the final files are written: a power cut loses none."""
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
        if path.read_text("utf-8").count("\n") == 1:  # no stroke yet
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
    names = tuple(filter(is_stroke, analysis.reader.frame_classes))
    unit, delay_from = analysis.reader.unit, analysis.reader.delay_from
    view = LiveView(analysis.source.title, analysis.tracks, names, width, height, unit, delay_from)
    page = None if address is None else LivePage(view, address[1], address[0])
    if page is not None:
        terminal.print_line(f"Open {page.url} to watch. Press Ctrl-C to stop and write the files.")
        if not is_local(page.server.host):
            terminal.print_line(f"Anyone on the network who can reach {page.server.host} can watch.")

    def on_stroke(live_stroke: LiveStroke) -> None:
        terminal.print_stroke(live_stroke)
        journal(live_stroke.stroke)
        if page is not None:
            page.add_stroke(live_stroke)

    def on_status(status: LiveStatus) -> None:
        terminal.print_status(status)
        if page is not None:
            page.update(status)

    result = analysis.run(on_stroke, on_status)
    if page is not None:
        page.close()
    return result


def _write(out: Path, analysis: LiveAnalysis, result: LiveResult) -> None:
    """Write the result files; a camera or a stream has no video file to annotate."""
    write_analysis(out, result.analysis)
    write_report_page(out, result.analysis)
    if analysis.source.is_file:
        key_frames = KeyFrames(result.analysis)
        write_annotated(out / ANNOTATED, result.analysis, analysis.tracks, key_frames=key_frames)
        write_report_page(out, result.analysis, ANNOTATED, key_frames)
    sys.stdout.write(f"{out / 'report.html'}\n")


def _summarise(result: LiveResult) -> str:
    num_strokes = len(result.strokes)
    strokes = "1 stroke" if num_strokes == 1 else f"{num_strokes} strokes"
    frames = "1 frame" if result.num_dropped == 1 else f"{result.num_dropped} frames"
    dropped = f"{frames} dropped" if result.num_dropped else "no frames dropped"
    return f"{strokes} in {write_clock(result.analysis.duration_s)}, {dropped}."
