"""The ``coach`` command: writes a page about a stroke, from reference strokes and a trained model."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord, Hand
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.landmarks import of_hand
from tt_actions.coach.match_command import MatchInput, coach_match
from tt_actions.coach.page import ADVICE, findings_table, write_coach_page
from tt_actions.coach.pictures import draw_pictures
from tt_actions.coach.reference_clips import (
    ClipReader,
    find_cache,
    list_references,
    list_training_clips,
    make_coach,
)
from tt_actions.coach.review import Review, judge_candidates, judge_stroke
from tt_actions.coach.stroke import key_times, read_candidates
from tt_actions.errors import UserError
from tt_actions.files import explain_failure, write_json, write_rows
from tt_actions.pose.video import POINTS, pose_rate
from tt_actions.recognition.loading import load
from tt_actions.recognition.prediction import ClipPrediction
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.files import SUFFIXES, read_joints
from tt_actions.skeleton.layouts import BLAZEPOSE33_2D, PATHS, Layout, convert, find_layout
from tt_actions.skeleton.sequence import FLIP_Y
from tt_actions.video.info import VideoInfo, probe
from tt_actions.video.types import Roi, Timed


def coach_file(
    *,
    checkpoint: Path,
    input: Path,  # noqa: A002 - the option's name
    out: Path,
    match: bool = False,
    players: tuple[str, ...] = (),
    player: str | None = None,
    reference: Path | None = None,
    against: Literal["references", "own"] = "references",
    joints: Path | None = None,
    pose: str | None = None,
    roi: Sequence[Roi] = (),
    class_: str | None = None,
    hand: Hand | None = None,
    fps: float | None = None,
    cache_dir: Path | None = None,
) -> None:
    """Find what is wrong in a stroke by comparison with reference strokes, and how to correct it.

    With ``match``, it judges every stroke of one player in a match, and says what recurs. It prints the
    findings, and writes them to ``coach.html``, ``findings.json`` and ``findings.csv``.

    Args:
        checkpoint: Checkpoint of a model of joints.
        input: A video, or a joint file. The built-in pose model finds the joints in a video.
        out: Folder to write to; it is created if needed.
        match: The video is a match: judge all strokes of one player in it.
        players: Names of the players of a match from left to right, such as left,right; without --roi, each
            gets an equal part of the frame (default: one player).
        player: The player of the match to judge (default: the only one).
        reference: Reference strokes: a folder with one subfolder of videos or joint files per class, or a
            manifest CSV (default: the training clips).
        against: What to compare a match with: references, or own for the player's own most typical strokes
            in it (default: references).
        joints: Joint file of the video, one row per frame, instead of the built-in pose model.
        pose: Model that finds the joints in videos: blazepose, or onnx:PATH (default: as in training).
        roi: Region of the player in the video, in pixels; in a match, repeat it for several players
            (default: as in training).
        class_: Class of the stroke (default: the most likely); in a match, judge only strokes of this class.
        hand: Playing hand (default: inferred from the references, which often fails in videos).
        fps: Frames per second of joint files that don't state it (default: that of the training, or of the
            video for --joints).
        cache_dir: Folder that keeps the joints found in videos (default: that of the training).

    Raises:
        ValueError: If the model is not a model of joints, or the input or the references can't be used.
        OSError: If a file is missing or can't be written.
    """
    _check_exist(checkpoint, input, reference, joints)
    with _open_folder(out):
        model = load(checkpoint, pose=pose)
        preprocessing = _joint_preprocessing(model)
        is_video = input.suffix.lower() not in SUFFIXES
        _check_input(input, is_video, joints, pose, roi)
        _check_match(match, is_video and not joints, players, player, roi, against == "own", reference)
        _check_options(model, class_, fps)
        reader = ClipReader(
            preprocessing, FrameCache(cache_dir or find_cache(checkpoint)), fps or preprocessing.fps
        )
        clips = None if against == "own" else _list_references(model, checkpoint, reference)
        if match:
            of_player = MatchInput(input, tuple(players), tuple(roi), player, class_, hand)
            coach_match(model, reader, of_player, clips, out)
        else:
            assert clips is not None
            clip = ClipRecord(input, roi=next(iter(roi), None), hand=hand)
            _coach_stroke(model, reader, clip, joints, class_, clips, out)


def _coach_stroke(
    model: Recognizer,
    reader: ClipReader,
    clip: ClipRecord,
    joints: Path | None,
    label: str | None,
    clips: tuple[list[ClipRecord], str],
    out: Path,
) -> None:
    """Judge one stroke, write the page and the tables, and print the findings."""
    is_video = clip.path.suffix.lower() not in SUFFIXES
    seen = _see(model, reader, clip, joints) if is_video else None
    prediction = _classify(model, clip, joints or clip.path, seen)
    label = label or prediction.label
    coach, left_out = make_coach(reader, *clips, label, clip.path)
    review = _judge(coach, clip, joints or clip.path, seen, prediction.probabilities[label], reader.fps)
    review = replace(review, remarks=(*review.remarks, *left_out))
    _write(out, review)
    sys.stdout.write(_summarise(out, review))


class _Seen(NamedTuple):
    """The joints of a video in pixels, their times, the rate at which to read their frames, if any."""

    frame_fps: float | None
    points: np.ndarray
    times_s: np.ndarray
    fps: float
    landmarks: Timed | None


def _see(model: Recognizer, reader: ClipReader, clip: ClipRecord, joints: Path | None) -> _Seen:
    """Find the joints in a video, or read them from their file."""
    info, layout = probe(clip.path), find_layout(reader.preprocessing.layout)
    if joints is not None:
        points = _read_video_joints(info, joints, layout)
        return _Seen(None, points, np.arange(len(points)) / info.fps, info.fps, None)
    model.check_region(clip.roi)
    landmarks = reader.read_landmarks(clip)
    points = convert(landmarks.values[:, :, POINTS], BLAZEPOSE33_2D, layout)
    fps = pose_rate(clip.path, reader.spec.fps)
    return _Seen(fps, points, landmarks.times_s, fps, landmarks)


def _classify(model: Recognizer, clip: ClipRecord, joints: Path, seen: _Seen | None) -> ClipPrediction:
    if seen is None or seen.landmarks is None:
        return model.predict(joints, hand=clip.hand)
    preprocessing = _joint_preprocessing(model)
    read = preprocessing.choose(preprocessing.finish(seen.landmarks.values, clip.path, clip.start_s))
    return model.classify(*read, clip.hand)


def _judge(
    coach: Coach, clip: ClipRecord, joints: Path, seen: _Seen | None, confidence: float, fps: float
) -> Review:
    """Judge the stroke and, in a video, draw its pictures."""
    name = clip.path.name
    if seen and seen.landmarks:
        review = judge_stroke(coach, name, seen.landmarks, confidence, hand=clip.hand)
    else:
        candidates = read_candidates(joints, coach.references.layout, seen.fps if seen else fps)
        review = judge_candidates(coach, of_hand(name, candidates, clip.hand), confidence)
    pictures = draw_pictures(clip.path, *seen[:3], [review.stroke])[0] if seen else {}
    return replace(review, name=name, pictures=pictures)


def _list_references(
    model: Recognizer, checkpoint: Path, reference: Path | None
) -> tuple[list[ClipRecord], str]:
    if reference is None:
        return list_training_clips(checkpoint)
    records, origin = list_references(reference)
    for record in records:
        if model.preprocessing.has_pixels(record.path):
            model.check_region(record.roi)
    return records, origin


def _check_exist(*paths: Path | None) -> None:
    for path in paths:
        if path is not None and not path.exists():
            raise FileNotFoundError(f"Expected '{path}', but there is no such file. Check the path.")


@contextmanager
def _open_folder(out: Path) -> Iterator[None]:
    """Create a folder before the work, to report a wrong path first; remove it if it stays empty."""
    if out.exists() and not out.is_dir():
        raise UserError(f"Expected a folder to write to, but '{out}' is a file. Choose another `--out`.")
    with explain_failure(out, "or choose another `--out`"):
        is_new = not out.exists()
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    try:
        yield
    finally:
        if is_new:
            with suppress(OSError):  # it has results
                out.rmdir()


def _check_input(
    file: Path, is_video: bool, joints: Path | None, pose: str | None, roi: Sequence[Roi]
) -> None:
    if not is_video and (joints or pose or roi):
        raise UserError(
            f"Expected a video with `--joints`, `--pose` or `--roi`, but got the joint file '{file}'. Remove "
            "these options, or pass the video."
        )
    if joints and (pose or roi):
        raise UserError(
            "Expected no `--pose` or `--roi` with `--joints`, because they are for finding joints, but got "
            f"`--pose` {pose} and `--roi` {list(roi)}. Remove them, or `--joints`."
        )


def _check_match(
    is_match: bool,
    is_video: bool,
    players: Sequence[str],
    player: str | None,
    roi: Sequence[Roi],
    is_own: bool,
    reference: Path | None,
) -> None:
    """Check the options that only make sense for a match, or only for one stroke."""
    if is_match and not is_video:
        raise UserError(
            "Expected only a video with `--match`, but got a joint file. Pass the video, or remove `--match`."
        )
    if not is_match and (players or player or is_own or len(roi) > 1):
        raise UserError(
            "Expected `--match` with `--players`, `--player`, `--against own` or several `--roi`, but got "
            "none. Add it if the video is a match."
        )
    if is_own and reference is not None:
        raise UserError(
            f"Expected no `--reference` with `--against own`, but got '{reference}'. Remove one of them."
        )


def _check_options(model: Recognizer, class_name: str | None, fps: float | None) -> None:
    if fps is not None and not 0 < fps < np.inf:
        raise UserError(f"Expected `--fps` to be positive, but got {fps:g}.")
    if class_name is not None and class_name not in model.class_names:
        raise UserError(
            f"Expected `--class` to be one of the model's classes ({', '.join(model.class_names)}), but got "
            f"'{class_name}'. Use one of these."
        )


def _joint_preprocessing(model: Recognizer) -> JointPreprocessing:
    preprocessing = model.preprocessing
    if not isinstance(preprocessing, JointPreprocessing) or find_layout(preprocessing.layout) in PATHS:
        raise UserError(
            "Expected the checkpoint of a model of joints, but got one that reads "
            f"{preprocessing.layout if isinstance(preprocessing, JointPreprocessing) else 'frames'}. "
            "Train one, for example with `make train EXP=strokes`."
        )
    return preprocessing


def _read_video_joints(info: VideoInfo, path: Path, layout: Layout) -> np.ndarray:
    """Read the joints of a video in pixels, one row per frame."""
    joints = read_joints(path, layout).joints
    if joints.shape[-1] != 2:
        raise UserError(
            f"Expected the 2D joints of a video, but '{path}' contains 3D joints. Pass only the video, in "
            "which the built-in pose model finds joints, or only the joint file, as `--input`."
        )
    if info.num_frames and abs(info.num_frames - len(joints)) > 1:
        raise UserError(
            f"Expected one row of joints for each of the {info.num_frames} frames of '{info.path}', but "
            f"'{path}' has {len(joints)} rows. Pass the joints of this video."
        )
    points = joints * FLIP_Y
    is_share = np.nanmax(np.abs(points)) <= 2  # of the frame's width and height
    return points * np.array([info.width, info.height]) if is_share else points


def _write(out: Path, review: Review) -> None:
    header, rows = findings_table(review.findings)
    content = {
        "input": review.name,
        "class": review.label,
        "probability": round(review.confidence, 4),
        "left_handed": review.stroke.left_handed,
        "phases_s": {phase: round(at_s, 3) for phase, at_s in key_times(review.stroke).items()},
        "score": round(review.score, 1),
        "score_of_references": [round(score, 1) for score in review.usual_scores],
        "num_references": review.num_references,
        "references": review.references,
        "is_unlike": review.is_unlike,
        "failed_measures": [
            measure.name for measure, failed in zip(review.measures, review.failed, strict=True) if failed
        ],
        "remarks": list(review.remarks),
        "findings": [dict(zip(header, row, strict=True)) for row in rows],
    }
    write_coach_page(out, review)
    write_json(out / "findings.json", content, ADVICE)
    write_rows(out / "findings.csv", header, rows, ADVICE)


def _summarise(out: Path, review: Review) -> str:
    nothing = "No advice." if review.is_unlike else "Nothing to correct."
    sentences = [f"{number}. {finding.sentence}" for number, finding in enumerate(review.findings, 1)]
    lines = [
        f"{review.name}: {review.label}, closeness to the references: {review.score:.0f} of 100",
        f"  {review.references}",
        *(f"  {remark}" for remark in review.remarks),
        *(f"  {sentence}" for sentence in sentences or [nothing]),
        f"{out / 'coach.html'}",
    ]
    return "\n".join(lines) + "\n"
