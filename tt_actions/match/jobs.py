"""Analysis of one or several videos, each with its own result folder."""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.errors import UserError, VideoError
from tt_actions.files import explain_failure, lock_folder, write_json
from tt_actions.match.job_list import Job, list_jobs
from tt_actions.match.key_frames import KeyFrames
from tt_actions.match.overlay import write_annotated
from tt_actions.match.report_page import write_report_page
from tt_actions.match.results_folder import (
    ANNOTATED,
    INPUTS_FILE,
    atomic_folder,
    check_same_video,
    is_done,
)
from tt_actions.match.summary import describe_match
from tt_actions.pose.choice import BUILT_IN, find_own_model, pose_digests
from tt_actions.recognition.analysis import MatchAnalysis, write_analysis
from tt_actions.recognition.loading import load, with_pose
from tt_actions.recognition.onnx_description import FILE
from tt_actions.recognition.pipeline import analyze_video, find_tracks
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.stroke_names import REMARK, NamedSport, names_checkpoint
from tt_actions.video.damage import collect_damage
from tt_actions.video.info import probe
from tt_actions.video.regions import Crop
from tt_actions.video.types import Roi


@dataclass(frozen=True)
class Options:
    """Options for the analysis of videos.

    Args:
        players: Names of the players, in the order of the regions or from left to right; empty for one.
        rois: Regions (x0, y0, x1, y1) in pixels: one for each player, one that the players share, or none.
        crop: ``motion`` follows the player in each region; None uses the setting of the training.
        annotate: Whether to write the video with the results drawn on it.
        has_skeletons: Whether to draw the skeletons of the players, if the model reads joints.
        engine: ``onnx`` runs the graphs that ``tt-actions export`` wrote next to the checkpoint.
        pose: The model that finds joints in videos; None uses that of the training.
        sport: Sport whose strokes a network of the package names, if there is no trained model.
    """

    players: tuple[str, ...] = ()
    rois: tuple[Roi, ...] = ()
    crop: Crop | None = None
    annotate: bool = True
    has_skeletons: bool = True
    engine: Literal["torch", "onnx"] = "torch"
    pose: str | None = None
    sport: NamedSport | None = None


def analyze_files(source: Path, checkpoint: Path | None, out: Path | None, options: Options) -> int:
    """Analyse a video, or every video of a folder or manifest, and print a summary of each.

    A video that already has results from the same checkpoint and options is skipped. With several
    videos, one that fails is reported and skipped: it can't be read, it doesn't suit the options, or its
    results can't be written. Any other error is a bug and ends the batch.

    Args:
        source: A video, a folder that is searched for videos, or a manifest CSV.
        checkpoint: The trained model; None names strokes by their sport, or gives them letters.
        out: Result folder of a single video, or the parent of all result folders. None uses
            ``runs/analysis/`` and the name of the source.
        options: Options of the analysis.

    Returns:
        The process's exit code: 1 if a video failed.

    Raises:
        UserError: If the source, the checkpoint or an option can't be used.
        OSError: If the results of a single video can't be written.
    """
    if checkpoint is not None and options.sport is not None:
        raise UserError(
            f"Expected either `checkpoint` or `sport`, but got both. Omit `sport` {options.sport}."
        )
    if options.sport is not None and find_own_model(options.pose or BUILT_IN):
        raise UserError(
            f"Expected `pose` {BUILT_IN} with `sport`, whose networks read joints in space, but got "
            f"'{options.pose}'. Omit one of them."
        )
    jobs = list_jobs(source, Path("runs/analysis") / source.stem if out is None else out)
    if options.sport is not None:
        checkpoint = names_checkpoint(options.sport)
    model = None if checkpoint is None else _open(checkpoint, options)
    digests = _digests_of(checkpoint, model, options.pose)
    console, failed = Console(highlight=False, soft_wrap=True), []
    for job in jobs:
        try:
            _analyze(job, model, digests, options, console, is_single=len(jobs) == 1)
        except (UserError, OSError) as error:
            if len(jobs) == 1:
                raise
            failed.append(job.video)
            console.print(f"{job.video} failed: {error}", markup=False, style="red")
    if len(jobs) > 1:
        console.print(f"{len(jobs) - len(failed)} of {len(jobs)} videos analysed.")
        for video in failed:
            console.print(f"  failed: {video}", markup=False, style="red")
    return 1 if failed else 0


def _open(checkpoint: Path, options: Options) -> Recognizer:
    if options.engine == "torch":
        return load(checkpoint, pose=options.pose)
    from tt_actions.recognition.onnx_recognizer import open_engine

    model = open_engine(checkpoint)
    if options.pose is not None:
        model.preprocessing = with_pose(model.preprocessing, options.pose)
    return model


def _digests_of(checkpoint: Path | None, model: Recognizer | None, pose: str | None) -> dict[str, Any]:
    """Return what identifies the trained model and, if it reads joints, the pose model."""
    if checkpoint is None or model is None:
        return {"checkpoint": None, "pose": pose_digests(pose or BUILT_IN)}
    file = checkpoint / FILE if checkpoint.is_dir() else checkpoint  # a folder holds an exported model
    digests: dict[str, Any] = {"checkpoint": hashlib.blake2b(file.read_bytes(), digest_size=20).hexdigest()}
    if isinstance(model.preprocessing, JointPreprocessing):
        digests["pose"] = pose_digests(model.preprocessing.pose)
    return digests


def _analyze(
    job: Job,
    model: Recognizer | None,
    digests: dict[str, Any],
    options: Options,
    console: Console,
    *,
    is_single: bool,
) -> None:
    inputs = _inputs_of(job, digests, options)
    with explain_failure(job.folder, "or choose another `--out`"):
        job.folder.parent.mkdir(parents=True, exist_ok=True)
        in_use = f"Waiting for another process that writes results to '{job.folder}'."
        lock = lock_folder(job.folder, in_use, wait=True, beside=True)
    with lock:
        if is_done(job.folder, inputs):
            console.print(f"{job.video}: already analysed, results in {job.folder}", markup=False)
            return
        check_same_video(job.folder, inputs)
        with atomic_folder(job.folder) as folder:
            analysis = _run(job, model, options, folder)
            write_json(folder / INPUTS_FILE, inputs)
    console.print(f"{job.video} -> {job.folder}", markup=False, style="bold" if is_single else None)
    for sentence in describe_match(analysis):
        console.print(Padding(Text(sentence), (0, 0, 0, 2)), soft_wrap=False)


def _run(job: Job, model: Recognizer | None, options: Options, folder: Path) -> MatchAnalysis:
    info, rois = probe(job.video), job.rois or options.rois
    tracks = find_tracks(model, job.video, options.players, rois)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as progress:
        finding = progress.add_task("finding strokes", total=info.duration_s)
        with collect_damage() as damage:
            analysis = analyze_video(
                model,
                job.video,
                options.players,
                rois,
                options.crop,
                lambda done_s: progress.update(finding, completed=done_s),
                options.pose if model is None else None,
            )
        origin = () if options.sport is None else (REMARK,)
        analysis = replace(analysis, remarks=(*damage, *origin, *analysis.remarks))
        write_analysis(folder, analysis)
        key_frames = KeyFrames(analysis, options.has_skeletons)
        drawing = progress.add_task("drawing the video", total=info.duration_s, visible=options.annotate)
        with collect_damage(*damage):
            if options.annotate:
                write_annotated(
                    folder / ANNOTATED,
                    analysis,
                    tracks,
                    lambda done_s: progress.update(drawing, completed=done_s),
                    has_skeletons=options.has_skeletons,
                    key_frames=key_frames,
                )
            else:
                key_frames.take()
    write_report_page(folder, analysis, ANNOTATED if options.annotate else None, key_frames)
    return analysis


def _inputs_of(job: Job, digests: dict[str, Any], options: Options) -> dict[str, Any]:
    """Return everything that the results depend on, as plain types that survive JSON."""
    if not job.video.is_file():
        raise VideoError(f"Expected a video file, but there is no file '{job.video}'. Check the path.")
    status = job.video.stat()
    inputs = {
        "video": os.fsencode(job.video.absolute()).decode("utf-8", "backslashreplace"),
        "bytes": status.st_size,
        "changed_ns": status.st_mtime_ns,
        **{name: value for name, value in asdict(options).items() if name not in ("pose", "sport")},
        **digests,
        "rois": job.rois or options.rois,
    }
    plain: dict[str, Any] = json.loads(json.dumps(inputs))
    return plain
