"""Judging one stroke: it writes a page about it, from reference strokes and a trained model."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.strokes import is_stroke
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.landmarks import of_hand
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
from tt_actions.files import write_json, write_rows
from tt_actions.pose.video import POINTS, pose_rate
from tt_actions.recognition.loading import load
from tt_actions.recognition.prediction import ClipPrediction
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.files import SUFFIXES, read_joints
from tt_actions.skeleton.layouts import BLAZEPOSE33_2D, PATHS, Layout, convert, find_layout
from tt_actions.skeleton.sequence import FLIP_Y
from tt_actions.video.info import VideoInfo, probe
from tt_actions.video.types import Timed


def make_reader(
    checkpoint: Path, pose: str | None, class_name: str | None, fps: float | None, cache_dir: Path | None
) -> tuple[Recognizer, ClipReader]:
    """Load a model of joints, and make what reads its clips.

    Args:
        checkpoint: Checkpoint of the model.
        pose: What finds the joints in videos; None for that of the training.
        class_name: Class that the strokes will be compared with; None for any.
        fps: Rate of joint files that don't state it; None for that of the training.
        cache_dir: Folder of the joints found in videos; None for that of the training.

    Raises:
        ValueError: If it is no model of joints, or doesn't know the class, or the rate is not positive.
        OSError: If there is no checkpoint.
    """
    model = load(checkpoint, pose=pose)
    preprocessing = _joint_preprocessing(model)
    _check_options(model, class_name, fps)
    cache = FrameCache(cache_dir or find_cache(checkpoint))
    return model, ClipReader(preprocessing, cache, fps or preprocessing.fps)


def coach_stroke(
    model: Recognizer,
    reader: ClipReader,
    clip: ClipRecord,
    joints: Path | None,
    label: str | None,
    clips: tuple[list[ClipRecord], str],
    out: Path,
) -> None:
    """Judge one stroke, write the page and the tables, and print the findings.

    Args:
        model: Model of joints.
        reader: Reads the joints of clips.
        clip: The stroke: a video or a joint file.
        joints: Joint file of the video; None to find the joints in it.
        label: Class of the stroke; None for the most likely.
        clips: The reference strokes, and where they come from.
        out: Folder to write to.

    Raises:
        ValueError: If the stroke or the references can't be used.
        OSError: If a file can't be written.
    """
    is_video = clip.path.suffix.lower() not in SUFFIXES
    seen = _see(model, reader, clip, joints) if is_video else None
    prediction = _classify(model, clip, joints or clip.path, seen)
    label = label or prediction.label
    if not is_stroke(label):
        raise UserError(
            f"Expected '{clip.path}' to show a stroke, but the model takes it for another movement. Name the "
            "stroke by `--class`."
        )
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


def list_references_of(
    model: Recognizer, checkpoint: Path, reference: Path | None
) -> tuple[list[ClipRecord], str]:
    """Return the reference strokes for a model, and where they come from.

    Args:
        model: The model.
        checkpoint: Its checkpoint.
        reference: Folder or manifest of the references; None for the training clips of the model.

    Raises:
        UserError: If there are none, or one lacks the region that the model needs.
        OSError: If there is no such folder or manifest.
    """
    if reference is None:
        return list_training_clips(checkpoint)
    records, origin = list_references(reference)
    for record in records:
        if model.preprocessing.has_pixels(record.path):
            model.check_region(record.roi)
    return records, origin


def _check_options(model: Recognizer, class_name: str | None, fps: float | None) -> None:
    if fps is not None and not 0 < fps < np.inf:
        raise UserError(f"Expected `--fps` to be positive, but got {fps:g}.")
    strokes = tuple(filter(is_stroke, model.class_names))
    if class_name is not None and class_name not in strokes:
        raise UserError(
            f"Expected `--class` to be one of the model's strokes ({', '.join(strokes)}), but got "
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
            "which the built-in pose model finds joints, or only the joint file, without `--joints`."
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
