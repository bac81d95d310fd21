"""The command: a stroke's file, reference strokes and a trained model make a page."""

import base64
import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tt_actions.clips import ClipRecord, read_manifest
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.page import ADVICE, findings_table, write_coach_page
from tt_actions.coach.phases import Phases
from tt_actions.coach.references import make_references
from tt_actions.coach.review import Review, review_stroke
from tt_actions.coach.stroke import RATE_HZ, Stroke, read_readings
from tt_actions.files import write_json, write_rows
from tt_actions.loading import TrainedRecognizer, load
from tt_actions.skeleton.drawing import draw_bones
from tt_actions.skeleton.files import SUFFIXES, read_joints
from tt_actions.skeleton.layouts import PATHS, find_layout
from tt_actions.skeleton.normalise import fill_gaps, place_unseen
from tt_actions.skeleton.preprocessing import JointPreprocessing
from tt_actions.video import VideoInfo, iter_frames, probe

_PICTURE_HEIGHT = 360


def coach_file(
    checkpoint: Path,
    input: Path,  # noqa: A002 - the option's name
    out: Path,
    reference: Path | None = None,
    joints: Path | None = None,
    pose: str | None = None,
) -> str:
    """Judge a stroke, and write ``coach.html``, ``findings.json`` and ``findings.csv``.

    Args:
        checkpoint: Of a model of joints, which names the stroke's class.
        input: A file of joints, or a video.
        out: Where to write.
        reference: Reference strokes: files of joints in a folder a class, or a manifest; None for the clips
            that the model was trained on, as the run's ``splits.csv`` lists them.
        joints: The joints in the video, a row a frame.
        pose: ``onnx:MODEL``, which finds the joints in the video.

    Returns:
        What was found, in lines.

    Raises:
        ValueError: If the model is not one of joints, or the input or the references can't be used.
        OSError: If a file is missing or can't be written.
    """
    for path in (checkpoint, input, reference, joints):
        if path is not None and not path.exists():
            raise FileNotFoundError(f"Expected '{path}', but there is no such file. Check the path.")
    model = load(checkpoint)
    preprocessing = _joint_preprocessing(model)
    is_video = input.suffix.lower() not in SUFFIXES
    if is_video != (joints is not None or pose is not None) or (joints and pose):
        raise ValueError(
            "Expected a file of joints as `--input`, or a video with one of `--joints` and `--pose`, but got "
            f"'{input}' with `--joints` {joints} and `--pose` {pose}. Give what belongs together."
        )
    records = _training_clips(checkpoint) if reference is None else _list_references(reference)
    if pose is not None:
        from tt_actions.coach.pose import find_joints

        joints = find_joints(pose, input, out / "joints.csv")
    info = probe(input) if is_video else None
    fps = info.fps if info else preprocessing.fps
    path = joints or input
    prediction = model.predict(path)
    coach = _teach(reference or "the training clips", records, prediction.label, preprocessing)
    stroke = coach.references.choose(read_readings(path, find_layout(preprocessing.layout), fps))
    stroke = replace(stroke, name=input.name)
    pictures = _pictures(info, path, stroke) if info else {}
    review = review_stroke(coach, stroke, prediction.probabilities[prediction.label], pictures)
    _write(out, review)
    return _tell(out, review)


def _joint_preprocessing(model: TrainedRecognizer) -> JointPreprocessing:
    preprocessing = model.preprocessing
    if not isinstance(preprocessing, JointPreprocessing) or find_layout(preprocessing.layout) in PATHS:
        raise ValueError(
            "Expected the checkpoint of a model of a body's joints, but got one that reads "
            f"{preprocessing.layout if isinstance(preprocessing, JointPreprocessing) else 'frames'}. "
            "Train one, such as `make train EXP=stgcn`."
        )
    return preprocessing


def _teach(
    reference: Path | str, records: list[ClipRecord], label: str, preprocessing: JointPreprocessing
) -> Coach:
    own = [record for record in records if record.label == label]
    if len(own) < 3:
        held = ", ".join(sorted({str(record.label) for record in records})) or "none"
        raise ValueError(
            f"Expected at least 3 reference strokes of '{label}', which the model names the input, in "
            f"'{reference}', but got {len(own)} (its classes: {held}). Add reference strokes of this class."
        )
    layout = find_layout(preprocessing.layout)
    readings = [read_readings(r.path, layout, preprocessing.fps, r.start_s, r.end_s) for r in own]
    return Coach(make_references(label, readings, [record.group or record.name for record in own]))


def _training_clips(checkpoint: Path) -> list[ClipRecord]:
    table = checkpoint.parents[1] / "splits.csv"
    if not table.is_file():
        raise ValueError(
            f"Expected '{table}', which names the clips that the model was trained on, but there is no such "
            "file. Give `--reference`."
        )
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    return [replace(ClipRecord.from_name(row["name"], row["label"]), group=row["group"]) for row in rows]


def _list_references(reference: Path) -> list[ClipRecord]:
    if reference.is_file():
        return read_manifest(reference)
    records = [
        ClipRecord(path, folder.name)
        for folder in sorted(reference.iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not records:
        raise ValueError(
            f"Expected '{reference}' to hold a folder of files of joints ({', '.join(SUFFIXES)}) for each "
            "class, but got none. Sort reference strokes into such folders."
        )
    return records


def _pictures(info: VideoInfo, path: Path, stroke: Stroke) -> dict[str, str]:
    """The video's frames at the phases with the joints in them, as data URLs."""
    sequence = read_joints(path, stroke.layout)
    points = place_unseen(fill_gaps(sequence.joints, 10), stroke.layout) * np.array([1, -1])
    if np.nanmax(np.abs(points)) <= 2:  # shares of the picture
        points = points * np.array([info.width, info.height])
    wanted = {
        phase: round((stroke.start_s + getattr(stroke.phases, phase) / RATE_HZ) * info.fps)
        for phase in Phases._fields
    }
    pictures = {}
    for number, (_, frame) in enumerate(iter_frames(info.path)):
        for phase, moment in wanted.items():
            if number == min(moment, len(points) - 1):
                picture = frame.copy()
                places = points[number].round().astype(int)
                draw_bones(picture, places, stroke.layout, max(2, info.height // 160))
                pictures[phase] = _encode(picture)
    return pictures


def _encode(picture: np.ndarray) -> str:
    scale = min(1.0, _PICTURE_HEIGHT / picture.shape[0])
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.tobytes()).decode()}"


def _write(out: Path, review: Review) -> None:
    header, rows = findings_table(review.findings)
    content = {
        "input": review.name,
        "class": review.label,
        "probability": round(review.confidence, 4),
        "left_handed": review.stroke.left_handed,
        "phases_s": {
            phase: round(review.stroke.start_s + getattr(review.stroke.phases, phase) / RATE_HZ, 3)
            for phase in Phases._fields
        },
        "score": round(review.score, 1),
        "score_of_references": [round(score, 1) for score in review.usual_scores],
        "num_references": review.num_references,
        "findings": [dict(zip(header, row, strict=True)) for row in rows],
    }
    write_json(out / "findings.json", content, ADVICE)
    write_rows(out / "findings.csv", header, rows, ADVICE)
    write_coach_page(out, review)


def _tell(out: Path, review: Review) -> str:
    sentences: Sequence[str] = [finding.sentence for finding in review.findings] or ["Nothing to change."]
    lines = [
        f"{review.name}: {review.label}, closeness to the references {review.score:.0f} of 100",
        *(f"  {number}. {sentence}" for number, sentence in enumerate(sentences, 1)),
        f"{out / 'coach.html'}",
    ]
    return "\n".join(lines) + "\n"
