"""The ``coach`` command: writes a page about a stroke, from reference strokes and a trained model."""

import base64
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.splits import read_split_clips
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.page import ADVICE, findings_table, write_coach_page
from tt_actions.coach.phases import Phases
from tt_actions.coach.references import MIN_REFERENCES, make_references
from tt_actions.coach.review import Review, review_stroke
from tt_actions.coach.stroke import RATE_HZ, StrokeMotion, read_candidates
from tt_actions.errors import UserError
from tt_actions.files import file_digest, write_json, write_rows
from tt_actions.recognition.loading import load
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.drawing import draw_bones
from tt_actions.skeleton.files import SUFFIXES, read_joints
from tt_actions.skeleton.layouts import PATHS, Layout, find_layout
from tt_actions.skeleton.normalise import fill_gaps, place_unseen
from tt_actions.video.frames import iter_frames
from tt_actions.video.info import VideoInfo, probe

_PICTURE_HEIGHT = 360
_APART_S = 0.5  # minimum time between two strokes
_OWN, _PLAYING = (0, 114, 178), (213, 94, 0)  # as on the page


def coach_file(
    *,
    checkpoint: Path,
    input: Path,  # noqa: A002 - the option's name
    out: Path,
    reference: Path | None = None,
    joints: Path | None = None,
    pose: str | None = None,
    class_: str | None = None,
    hand: Literal["left", "right"] | None = None,
    fps: float | None = None,
) -> None:
    """Find what is wrong in a stroke by comparison with reference strokes, and how to correct it.

    It prints the findings, and writes them to ``coach.html``, ``findings.json`` and ``findings.csv``.

    Args:
        checkpoint: Checkpoint of a skeleton model.
        input: A joint file, or a video together with --joints or --pose.
        out: Folder to write to; it is created if needed.
        reference: Reference strokes: a folder with one subfolder of joint files per class, or a manifest CSV
            (default: the training clips).
        joints: Joint file of the video, one row per frame.
        pose: Model that finds the joints in the video, as onnx:MODEL.
        class_: Class of the stroke (default: the most likely).
        hand: Playing hand (default: inferred from the references).
        fps: Frames per second of joint files that don't state it (default: that of the training, or of the
            video for --joints).

    Raises:
        ValueError: If the model is not a skeleton model, or the input or the references can't be used.
        OSError: If a file is missing or can't be written.
    """
    _check_exist(checkpoint, input, reference, joints)
    model = load(checkpoint)
    preprocessing = _joint_preprocessing(model)
    is_video = input.suffix.lower() not in SUFFIXES
    _check_input(input, is_video, joints, pose)
    _check_options(model, class_, fps)
    records = _training_clips(checkpoint) if reference is None else _list_references(reference)
    if pose is not None:
        from tt_actions.coach.pose import find_joints

        joints = find_joints(pose, input, out / "joints.csv")
    info = probe(input) if is_video else None
    path, layout = joints or input, find_layout(preprocessing.layout)
    seen = _read_video_joints(info, path, layout) if info else None
    prediction = model.predict(path)
    label = class_ or prediction.label
    where = f"'{reference}'" if reference else "its training clips"
    fps = fps or preprocessing.fps
    coach = _make_coach(where, records, label, path, layout, fps)
    stroke, remarks = _choose_stroke(coach, read_candidates(path, layout, info.fps if info else fps), hand)
    stroke = replace(stroke, name=input.name)
    if reference is None:
        remarks.append("The references are the clips on which the model was trained.")
    pictures = {} if info is None or seen is None else _pictures(info, seen, stroke)
    review = review_stroke(coach, stroke, prediction.probabilities[label], pictures, remarks)
    _write(out, review)
    sys.stdout.write(_summarise(out, review))


def _check_exist(*paths: Path | None) -> None:
    for path in paths:
        if path is not None and not path.exists():
            raise FileNotFoundError(f"Expected '{path}', but there is no such file. Check the path.")


def _check_input(file: Path, is_video: bool, joints: Path | None, pose: str | None) -> None:
    if is_video != (joints is not None or pose is not None) or (joints and pose):
        raise UserError(
            "Expected a joint file as `--input`, or a video with one of `--joints` and `--pose`, but got "
            f"'{file}' with `--joints` {joints} and `--pose` {pose}. Use one of these combinations."
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
            "Expected the checkpoint of a skeleton model, but got one that reads "
            f"{preprocessing.layout if isinstance(preprocessing, JointPreprocessing) else 'frames'}. "
            "Train one, for example with `make train EXP=stgcn`."
        )
    return preprocessing


def _read_video_joints(info: VideoInfo, path: Path, layout: Layout) -> np.ndarray:
    """Read the 2D joints of a video, one row per frame."""
    joints = read_joints(path, layout).joints
    if joints.shape[-1] != 2:
        raise UserError(
            f"Expected the 2D joints of a video, but '{path}' contains 3D joints. Pass only the joint file, "
            "as `--input`, or use a model with a 2D layout (coco17 or movenet13)."
        )
    if info.num_frames and abs(info.num_frames - len(joints)) > 1:
        raise UserError(
            f"Expected one row of joints for each of the {info.num_frames} frames of '{info.path}', but "
            f"'{path}' has {len(joints)} rows. Pass the joints of this video."
        )
    return joints


def _make_coach(
    where: str, records: list[ClipRecord], label: str, path: Path, layout: Layout, fps: float
) -> Coach:
    """Create a coach from the references of a class, without duplicates and the stroke itself."""
    seen, own = {_content(ClipRecord(path))}, []
    for record in records:
        if not record.path.is_file():
            raise FileNotFoundError(
                f"Expected the reference stroke '{record.path}' of {where}, but there is no such file. Run "
                "the command in the folder in which the model was trained, or pass `--reference`."
            )
        if record.label == label and (content := _content(record)) not in seen:
            seen.add(content)
            own.append(record)
    if len(own) < MIN_REFERENCES:
        held = ", ".join(sorted({str(record.label) for record in records})) or "none"
        raise UserError(
            f"Expected at least {MIN_REFERENCES} different reference strokes of '{label}' in {where}, not "
            f"counting the input, but got {len(own)} (classes found: {held}). Add reference strokes of this "
            "class, or pass another `--class`."
        )
    candidates = [read_candidates(r.path, layout, fps, r.start_s, r.end_s) for r in own]
    return Coach(make_references(label, candidates, [record.group or record.name for record in own]))


def _choose_stroke(
    coach: Coach, candidates: list[StrokeMotion], hand: str | None
) -> tuple[StrokeMotion, list[str]]:
    """Choose the candidate that looks most like the references, with a remark if there are others."""
    of_hand = [one for one in candidates if hand in (None, "left" if one.left_handed else "right")]
    if not of_hand:
        raise UserError(f"Expected a stroke with the {hand} hand, but found none. Omit `--hand`.")
    stroke = coach.references.choose(of_hand)
    contacts_s = {one.start_s + one.phases.contact / RATE_HZ for one in of_hand}
    at_s = stroke.start_s + stroke.phases.contact / RATE_HZ
    if all(abs(other_s - at_s) < _APART_S for other_s in contacts_s):
        return stroke, []
    return stroke, [
        f"There are several fast hand movements. The result is about the one at {at_s:.2f} s, which looks "
        f"most like a {coach.references.label}."
    ]


def _content(record: ClipRecord) -> tuple[str, float, float | None]:
    return file_digest(record.path), record.start_s, record.end_s


def _training_clips(checkpoint: Path) -> list[ClipRecord]:
    table = checkpoint.absolute().parent.parent / "splits.csv"
    if not table.is_file():
        raise UserError(
            f"Expected '{table}', which lists the model's training clips, but there is no such file. Pass "
            "`--reference`."
        )
    return [record for record in read_split_clips(table) if record.split == "train"]


def _list_references(reference: Path) -> list[ClipRecord]:
    if reference.is_file():
        if reference.suffix.lower() != ".csv":
            raise UserError(
                "Expected `--reference` to be a folder with one subfolder per class, or a manifest CSV, but "
                f"got the file '{reference}'. Pass the folder."
            )
        return read_manifest(reference)
    records = [
        ClipRecord(path, folder.name)
        for folder in sorted(reference.iterdir())
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not records:
        raise UserError(
            f"Expected '{reference}' to contain one subfolder of joint files ({', '.join(SUFFIXES)}) per "
            "class, but found none. Sort the reference strokes into such subfolders."
        )
    return records


def _pictures(info: VideoInfo, joints: np.ndarray, stroke: StrokeMotion) -> dict[str, str]:
    """Return the video's frames at the phases, with the joints drawn on them, as data URLs."""
    points = place_unseen(fill_gaps(joints, 10), stroke.layout) * np.array([1, -1])
    arm = [f"{'left' if stroke.left_handed else 'right'}_{part}" for part in ("elbow", "wrist", "hand")]
    if np.nanmax(np.abs(points)) <= 2:  # positions are shares of the frame's size
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
                draw_bones(
                    picture,
                    places,
                    stroke.layout,
                    max(2, info.height // 160),
                    lambda joint: _PLAYING if joint in arm else _OWN,
                )
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
        "remarks": list(review.remarks),
        "findings": [dict(zip(header, row, strict=True)) for row in rows],
    }
    write_coach_page(out, review)
    write_json(out / "findings.json", content, ADVICE)
    write_rows(out / "findings.csv", header, rows, ADVICE)


def _summarise(out: Path, review: Review) -> str:
    sentences: Sequence[str] = [finding.sentence for finding in review.findings] or ["Nothing to correct."]
    lines = [
        f"{review.name}: {review.label}, closeness to the references: {review.score:.0f} of 100",
        *(f"  {remark}" for remark in review.remarks),
        *(f"  {number}. {sentence}" for number, sentence in enumerate(sentences, 1)),
        f"{out / 'coach.html'}",
    ]
    return "\n".join(lines) + "\n"
