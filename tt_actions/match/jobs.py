"""Videos in, a folder of results each: skipped where it is done, whole or not there at all."""

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from tt_actions.clips.manifest import read_manifest
from tt_actions.errors import UserError, VideoError
from tt_actions.files import explain_failure, lock_folder, write_json
from tt_actions.match.overlay import write_annotated
from tt_actions.match.report_page import write_report_page
from tt_actions.match.summary import describe_match
from tt_actions.recognition.analysis import MatchAnalysis, write_analysis
from tt_actions.recognition.loading import load
from tt_actions.recognition.pipeline import analyze_video, find_tracks
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.sources.folders import SUFFIXES
from tt_actions.video.decoder import VideoWarning
from tt_actions.video.info import probe
from tt_actions.video.regions import Crop
from tt_actions.video.types import Roi

DONE = "analysis.json"
"""The file that tells what a folder of results was made of; it is written last."""

ANNOTATED = "annotated.mp4"

RESULTS = (DONE, ANNOTATED, "strokes.csv", "strokes.json", "frames.npz", "report.html")
"""All that a folder of results may hold."""


@dataclass(frozen=True)
class Options:
    """How videos are analysed.

    Args:
        players: Names of the players, in the order of the regions or from left to right; empty for one.
        rois: Regions (x0, y0, x1, y1) in pixels: of each player, or one that they share, or none.
        crop: ``motion`` follows the player in each region; None for what the model was trained with.
        annotate: Whether the video is written again with what was found drawn on it.
        engine: ``onnx`` runs the graphs that ``tt-actions export`` has written beside the checkpoint.
    """

    players: tuple[str, ...] = ()
    rois: tuple[Roi, ...] = ()
    crop: Crop | None = None
    annotate: bool = True
    engine: Literal["torch", "onnx"] = "torch"


@dataclass(frozen=True)
class Job:
    """One video to analyse.

    Args:
        video: The video file.
        folder: Where its results go.
        rois: Regions that a manifest gives, which go before those of the options.
    """

    video: Path
    folder: Path
    rois: tuple[Roi, ...] = ()


def analyze_files(source: Path, checkpoint: Path, out: Path | None, options: Options) -> int:
    """Analyse a video, or each of a folder or a manifest, and print a summary of each.

    A video whose results are there, by the same checkpoint and options, is skipped. Of several videos, one
    that can't be read, that the options don't suit or whose results can't be written is reported and skipped.
    Any other error is a bug: it ends the batch.

    Args:
        source: A video, a folder that is searched for videos, or a manifest CSV.
        checkpoint: The trained model.
        out: Where to: of one video the folder of its results, else that of all these folders. None for
            ``runs/analysis/`` and the name of the source.
        options: How.

    Returns:
        The process's exit code: 1 where a video failed.

    Raises:
        UserError: If the source, the checkpoint or an option can't be used.
        OSError: If the results of a single video can't be written.
    """
    jobs = list_jobs(source, Path("runs/analysis") / source.stem if out is None else out)
    model = _open(checkpoint, options.engine)
    digest = hashlib.blake2b(checkpoint.read_bytes(), digest_size=20).hexdigest()
    console, failed = Console(highlight=False, soft_wrap=True), []
    for job in jobs:
        try:
            _analyze(job, model, digest, options, console, is_alone=len(jobs) == 1)
        except (UserError, OSError) as error:  # its video can't be read, is too small for the players, ...
            if len(jobs) == 1:
                raise
            failed.append(job.video)
            console.print(f"{job.video} failed: {error}", markup=False, style="red")
    if len(jobs) > 1:
        console.print(f"{len(jobs) - len(failed)} of {len(jobs)} videos are analysed.")
        for video in failed:
            console.print(f"  not {video}", markup=False, style="red")
    return 1 if failed else 0


def _open(checkpoint: Path, engine: Literal["torch", "onnx"]) -> Recognizer:
    if engine == "torch":
        return load(checkpoint)
    from tt_actions.recognition.onnx_recognizer import open_engine

    return open_engine(checkpoint)


def list_jobs(source: Path, out: Path) -> list[Job]:
    """List the videos of a source, and where the results of each go.

    Args:
        source: A video, a folder or a manifest CSV.
        out: Where to.

    Raises:
        FileNotFoundError: If there is no such source.
        ValueError: If it holds no video, or a manifest has stretches of time.
    """
    if source.is_dir():
        inside = {done.parent for done in source.rglob(DONE) if "checkpoint" in _read_done(done.parent)}
        videos = [
            path
            for path in sorted(source.rglob("*"))
            if path.suffix.lower() in SUFFIXES
            and path.is_file()
            and not any(part.startswith(".") for part in path.relative_to(source).parts)
            and not inside.intersection(path.parents)
        ]
        if not videos:
            raise UserError(f"Expected videos ({', '.join(SUFFIXES)}) in '{source}', but got none.")
        return _name([(path, path.relative_to(source), ()) for path in videos], out)
    if source.suffix.lower() == ".csv":
        records = read_manifest(source)
        if any(record.start_s or record.end_s is not None for record in records):
            raise UserError(
                f"Expected whole videos in '{source}', but got stretches. Leave `start_s` and `end_s` empty."
            )
        rois: dict[Path, list[Roi]] = {record.path: [] for record in records}
        for record in records:
            rois[record.path] += [record.roi] if record.roi else []
        for path, found in rois.items():
            if found and len(found) < sum(record.path == path for record in records):
                raise UserError(
                    f"Expected a region for each player of '{path}' or none in '{source}', but got some rows "
                    "with and some without. Fill `x0,y0,x1,y1`, or leave the others out."
                )
        return _name([(path, Path(path.name), tuple(found)) for path, found in rois.items()], out)
    if not source.is_file():
        raise FileNotFoundError(f"Expected a video, a folder or a manifest, but there is no '{source}'.")
    return [Job(source, out)]


def _name(videos: Sequence[tuple[Path, Path, tuple[Roi, ...]]], out: Path) -> list[Job]:
    """Call the results of each video like it, with the suffix or a number where that is needed."""
    count = Counter(inner.with_suffix("") for _, inner, _ in videos)
    folders = {folder for _, inner, _ in videos for folder in inner.parents}
    jobs, taken = [], set[Path]()
    for video, inner, rois in videos:
        name = inner.with_suffix("")
        if count[name] > 1 or name in folders:  # results of others go there
            name = inner
        number = 2
        while name in taken:
            name, number = inner.with_name(f"{inner.name}_{number}"), number + 1
        taken.add(name)
        jobs.append(Job(video, out / name, rois))
    return jobs


def _analyze(
    job: Job, model: Recognizer, digest: str, options: Options, console: Console, *, is_alone: bool
) -> None:
    made_of = _made_of(job, digest, options)
    with explain_failure(job.folder, "or choose another `--out`"):
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        in_use = f"Waiting for another process that analyses into '{job.folder}'."
        lock = lock_folder(job.folder, in_use, wait=True, beside=True)
    with lock:
        if _is_done(job.folder, made_of):
            console.print(f"{job.video}: done before, in {job.folder}", markup=False)
            return
        _check_same_video(job.folder, made_of)
        with _whole_folder(job.folder) as folder:
            analysis = _run(job, model, options, folder)
            write_json(folder / DONE, made_of)
    console.print(f"{job.video} -> {job.folder}", markup=False, style="bold" if is_alone else None)
    for sentence in describe_match(analysis):
        console.print(Padding(Text(sentence), (0, 0, 0, 2)), soft_wrap=False)


def _run(job: Job, model: Recognizer, options: Options, folder: Path) -> MatchAnalysis:
    info, rois = probe(job.video), job.rois or options.rois
    tracks = find_tracks(model, job.video, options.players, rois)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        finding = progress.add_task("finding strokes", total=info.duration_s)
        with _telling_once() as damage:
            analysis = analyze_video(
                model,
                job.video,
                options.players,
                rois,
                options.crop,
                lambda done_s: progress.update(finding, completed=done_s),
            )
        analysis = replace(analysis, remarks=(*damage, *analysis.remarks))
        write_analysis(folder, analysis)
        if options.annotate:
            drawing = progress.add_task("drawing", total=info.duration_s)
            with _telling_once(*damage):
                write_annotated(
                    folder / ANNOTATED,
                    analysis,
                    tracks,
                    lambda done_s: progress.update(drawing, completed=done_s),
                )
    write_report_page(folder, analysis, ANNOTATED if options.annotate else None)
    return analysis


@contextmanager
def _telling_once(*known: str) -> Iterator[list[str]]:
    """Gather what is told of a damaged video, and leave out what was told before."""
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VideoWarning)
        yield told
    for warning in caught:
        message = str(warning.message)
        if not issubclass(warning.category, VideoWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif message not in (*known, *told):
            told.append(message)
            warnings.warn(message, VideoWarning, stacklevel=3)


def _made_of(job: Job, digest: str, options: Options) -> dict[str, Any]:
    """What results depend on, as plain types that survive JSON."""
    if not job.video.is_file():
        raise VideoError(f"Expected a video file, but there is no file '{job.video}'. Check the path.")
    status = job.video.stat()
    made_of = {
        "video": os.fsencode(job.video.absolute()).decode("utf-8", "backslashreplace"),
        "bytes": status.st_size,
        "changed_ns": status.st_mtime_ns,
        "checkpoint": digest,
        **asdict(options),
        "rois": job.rois or options.rois,
    }
    plain: dict[str, Any] = json.loads(json.dumps(made_of))
    return plain


def _is_done(folder: Path, made_of: dict[str, Any]) -> bool:
    return _read_done(folder) == made_of


def _check_same_video(folder: Path, made_of: dict[str, Any]) -> None:
    """Refuse to put a video's results in the place of those of another."""
    found = _read_done(folder)
    if found and found.get("video") != made_of["video"] and found.get("bytes") != made_of["bytes"]:
        raise UserError(
            f"Expected '{folder}' to be free for the results of '{made_of['video']}', but it holds those of "
            f"'{found.get('video')}'. Choose another `--out`."
        )


def _read_done(folder: Path) -> dict[str, Any]:
    """Read what a folder's results were made of: nothing where there are none."""
    try:
        found = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def _whole_folder(folder: Path) -> Iterator[Path]:
    """Give a folder to write to that takes its name once the block ends without an error.

    Results that were there before make way then. What a process that was killed has left is removed.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"Expected a folder to write to, but '{folder}' is a file. Choose another `--out`.")
    others = [path.name for path in folder.iterdir() if path.name not in RESULTS] if folder.exists() else []
    if others:
        raise UserError(
            f"Expected '{folder}' to be new or to hold the results of an analysis, but it holds other files, "
            f"such as '{min(others)}'. Move them, or choose another `--out`."
        )
    left_behind = re.compile(rf"\.{re.escape(folder.name)}-[a-z0-9_]{{8}}\.part")  # as mkdtemp names them
    for stale in folder.parent.iterdir():
        if left_behind.fullmatch(stale.name):
            shutil.rmtree(stale, ignore_errors=True)
    with explain_failure(folder, "or choose another `--out`"):
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-", suffix=".part"))
        temporary.chmod(0o755)
    try:
        try:
            yield temporary
        except OSError as error:  # the file that it names is gone by the time that one looks for it
            raise OSError(str(error).replace(str(temporary), str(folder))) from error
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
