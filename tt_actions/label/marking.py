"""Finding the videos, the proposals and the marks of the labelling page, and serving it."""

import os
import signal
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event
from types import FrameType

from tt_actions.clips.stroke_table import FACTS_FILE
from tt_actions.errors import UserError
from tt_actions.files import explain_failure, file_digest
from tt_actions.label.book import Book
from tt_actions.label.joint_series import JointSeries
from tt_actions.label.moved import find_marks
from tt_actions.label.page import LabelPage
from tt_actions.label.proposals import check_name
from tt_actions.label.session import LabelSession
from tt_actions.label.sheet import SAME_LENGTH_S
from tt_actions.label.store import check_place
from tt_actions.match.jobs import Options, analyze_files
from tt_actions.match.results_folder import read_inputs
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.players import lay_tracks
from tt_actions.recognition.stored_analysis import read_analysis
from tt_actions.video.info import probe

FOLDER = Path("runs/labels")
"""Folder of the marks, unless another place is given, and of the analyses."""


def mark(
    videos: Sequence[Path],
    folders: Sequence[Path],
    checkpoint: Path | None,
    options: Options,
    out: Path | None,
    port: int,
    no_browser: bool,
) -> None:
    """Serve the page on which to mark strokes until Ctrl-C.

    Args:
        videos: Videos to mark, or the ``strokes.csv`` of their analyses; with folders, their videos, if they
            have been moved.
        folders: Folders of analyses; their strokes are the proposals.
        checkpoint: Checkpoint of the model that finds the proposals if there are no folders.
        options: Options of the analysis that finds them.
        out: Manifest for the marks; None for runs/labels/VIDEO.csv.
        port: Port of the page; 0 chooses a free one.
        no_browser: Whether not to open the page in the browser.

    Raises:
        UserError: If there are no proposals, or the videos, the folders or the marks can't be used.
        OSError: If a file is missing or can't be written, or the port isn't available.
    """
    if not folders and videos and all(_is_strokes(video) for video in videos):
        videos, folders = [], [strokes.parent for strokes in videos]
    if folders and (checkpoint is not None or options != Options()):
        raise UserError(
            "Expected `--from` without `--checkpoint`, `--sport`, `--players`, `--roi` and `--pose`, which "
            "are those of the analysis, but got one of them. Omit it."
        )
    analyses = _read(videos, folders) if folders else []
    if folders:
        videos = [analysis.video for analysis in analyses]
    else:
        _check_videos(videos)
    marks = _find_place(videos[0]) if out is None else out
    book = check_place(marks)
    if out is None:
        _point_out_others(marks, book, videos)
    if not folders:
        _check_same(book, videos, options)
        analyses = _analyze(videos, checkpoint, options)
    _serve(marks, analyses, port, no_browser)


def _serve(marks: Path, analyses: Sequence[MatchAnalysis], port: int, no_browser: bool) -> None:
    """Serve the page until Ctrl-C, and say what is marked then."""
    with closing(LabelSession(marks, analyses)) as session:
        for remark in session.remarks:
            _say(remark)
        page = LabelPage(session, [JointSeries(analysis) for analysis in analyses], marks, port=port)
        with closing(page), _until_stopped() as stopped:
            _say(f"Open {page.url} to mark strokes. Press Ctrl-C to end.")
            if not no_browser:
                webbrowser.open(page.url)
            while not stopped.wait(0.5):  # Windows delivers Ctrl-C only between two waits
                continue
        num_marks = sum(session.state(0)["learning"]["num_by_class"].values())
    found = "1 stroke is" if num_marks == 1 else f"{num_marks} strokes are"
    _say(f"{found} marked in '{marks}'. Go on with the same command.")
    if num_marks:
        _say(f'Train a model on them: make train EXP=strokes DATA="{marks}"')


def _is_strokes(path: Path) -> bool:
    """Return whether a file contains the strokes of the analysis in its folder."""
    return path.name == "strokes.csv" and path.with_name(FACTS_FILE).is_file()


def _find_place(video: Path) -> Path:
    """Return the file for the marks if none is given: the one that has marks of this video, or a new one."""
    marks = FOLDER / f"{video.stem}.csv"
    with explain_failure(marks, "or choose another `--out`"):
        FOLDER.mkdir(parents=True, exist_ok=True)
    return marks if marks.exists() else find_marks(FOLDER, video) or marks


def _point_out_others(marks: Path, book: Book, videos: Sequence[Path]) -> None:
    """Say which videos are new in the file for the marks, but not in another one."""
    for video in videos:
        if book.find(video) is None and (other := find_marks(FOLDER, video)) not in (None, marks):
            _say(
                f"What was marked in '{video}' before is in '{other}' and not shown; it "
                f"begins anew in '{marks}'. To go on with it, pass that file as `--out`."
            )


def _read(videos: Sequence[Path], folders: Sequence[Path]) -> list[MatchAnalysis]:
    """Read finished analyses, and find their videos."""
    if videos and len(videos) != len(folders):
        raise UserError(
            f"Expected one video for each folder of `--from`, or none, but got {len(videos)} videos and "
            f"{len(folders)} folders. Omit the videos unless they have been moved."
        )
    analyses = []
    for number, folder in enumerate(folders):
        video = videos[number] if videos else Path(str(read_inputs(folder).get("video", "")))
        analyses.append(read_analysis(folder, video))
        _check_video(folder, analyses[-1])
    return analyses


def _check_video(folder: Path, analysis: MatchAnalysis) -> None:
    """Raise an error if the video of an analysis is not where it was, or is another one."""
    video = analysis.video
    if not video.is_file():
        found = f"there is no '{video}'" if video.name else "the folder does not say where it is"
        raise FileNotFoundError(
            f"Expected the video of '{folder}', but {found}. Give its path: "
            f"tt-actions label VIDEO --from {folder}"
        )
    duration_s = probe(video).duration_s
    is_same = read_inputs(folder).get("bytes") == video.stat().st_size  # then a file is cut off, and shorter
    if not is_same and abs(duration_s - analysis.duration_s) > SAME_LENGTH_S:
        raise UserError(
            f"Expected the video of '{folder}', which is {analysis.duration_s:.1f} s long, but '{video}' is "
            f"{duration_s:.1f} s long. Give the video that was analysed."
        )


def _check_videos(videos: Sequence[Path]) -> None:
    if not videos:
        raise UserError(
            "Expected a video or the folder of an analysis, but got none. Give VIDEO, or `--from`."
        )
    for video in videos:
        check_name(video)
        probe(video)  # another one may take long before this one's turn comes
    if twice := [video for i, video in enumerate(videos) if video.resolve() in map(Path.resolve, videos[:i])]:
        raise UserError(f"Expected each video only once, but got '{twice[0]}' twice. Correct the list.")


def _check_same(book: Book, videos: Sequence[Path], options: Options) -> None:
    """Raise an error if a marked video has changed, or would get other players."""
    for video in videos:
        number, info = book.find(video), probe(video)
        if number is not None and book.sheets[number].is_begun:
            tracks = lay_tracks(options.players, options.rois, info.width, info.height)
            sheet, duration_s = book.sheets[number], info.duration_s
            if abs(duration_s - sheet.duration_s) > SAME_LENGTH_S and sheet.content == file_digest(video):
                duration_s = sheet.duration_s  # the video is cut off, and shorter than its header says
            sheet.check_same(video, duration_s, [track.name for track in tracks])


def _analyze(videos: Sequence[Path], checkpoint: Path | None, options: Options) -> list[MatchAnalysis]:
    """Analyse videos, unless that is done already, and read the results."""
    analyses = []
    for video in videos:
        folder = _find_folder(video)
        has_video = bool(read_inputs(folder).get("annotate"))  # an earlier analysis is as good with it
        analyze_files(video, checkpoint, folder, replace(options, annotate=has_video))
        analyses.append(read_analysis(folder, video))
    return analyses


def _find_folder(video: Path) -> Path:
    """Return the folder with the analysis of a video, or a new one if videos of the same name have theirs."""
    own = os.fsencode(video.absolute()).decode("utf-8", "backslashreplace")
    folder, number = FOLDER / video.stem, 2
    while read_inputs(folder).get("video", own) != own:
        folder, number = folder.with_name(f"{video.stem}_{number}"), number + 1
    return folder


@contextmanager
def _until_stopped() -> Iterator[Event]:
    """Yield an event that Ctrl-C and SIGTERM set."""
    stopped = Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
