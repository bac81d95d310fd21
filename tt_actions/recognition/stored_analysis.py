"""Reading the files of a match analysis back."""

import csv
import json
import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any, NamedTuple

import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.recognition.analysis import ADVICE, STROKE_COLUMNS, MatchAnalysis, PlayerMotion
from tt_actions.skeleton.layouts import BLAZEPOSE33
from tt_actions.video.frames import check_roi
from tt_actions.video.types import Roi

_BROKEN = (
    ValueError,
    KeyError,
    TypeError,
    IndexError,
    EOFError,
    OverflowError,  # a number that is too large
    MemoryError,  # a damaged size of an array
    RuntimeError,  # JSON that is nested too deeply, or an archive of another kind
    SyntaxError,  # a damaged description of an array, which is Python
    TokenError,
    csv.Error,
    zipfile.BadZipFile,
    zlib.error,
)

_LATE_S = 0.5  # a stroke may end a few frames after the last one


def read_analysis(folder: Path, video: Path | None = None) -> MatchAnalysis:
    """Read an analysis from the files that :func:`tt_actions.recognition.analysis.write_analysis` wrote.

    The strokes are those of ``strokes.csv``, which may have been edited: its rows may be in any order and
    have new classes. Numbers have the precision of the files: milliseconds, an eighth of a pixel, and three
    digits of a probability or a position.

    Args:
        folder: Folder of the analysis.
        video: The video that was analysed; None for the name that ``strokes.json`` gives.

    Raises:
        FileNotFoundError: If ``strokes.csv``, ``strokes.json`` or ``frames.npz`` is missing.
        OSError: If a file can't be read.
        UserError: If a file is damaged or was written by an earlier version, or the files don't fit each
            other.
    """
    facts = _read_facts(folder / "strokes.json")
    frames = _read_frames(folder / "frames.npz", facts)
    strokes = _read_strokes(folder / "strokes.csv", facts)
    joints = folder / "joints.npz"
    motion = _read_motion(joints, facts, frames.times_s) if joints.is_file() else None
    with _explain(folder / "strokes.json"):
        return MatchAnalysis(
            video=Path(facts.video) if video is None else video,
            duration_s=facts.duration_s,
            class_names=tuple(dict.fromkeys([*facts.class_names, *(s.label for s in strokes)])),
            players=facts.players,
            strokes=strokes,
            frame_classes=frames.class_names,
            times_s=frames.times_s,
            probabilities=frames.probabilities,
            remarks=facts.remarks,
            motion=motion,
            rois=facts.rois,
        )


@contextmanager
def _explain(path: Path) -> Iterator[None]:
    """Name the file in errors that the block raises because it is missing or damaged."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(
            f"Expected the results of an analysis in '{path.parent}', but there is no file '{path.name}'. "
            f"Check the path, or analyse the match again."
        ) from error
    except OSError as error:
        raise OSError(
            f"Expected to read '{path}', but got: {error.strerror or error}. Check the path and its "
            f"permissions, or remove the folder {ADVICE}."
        ) from error
    except _BROKEN as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise UserError(
            f"Expected '{path}' as `analyze` of this version writes it, but got: "
            f"{' '.join(reason.split()).rstrip('.')}. Restore the file, or remove the folder {ADVICE}."
        ) from error


def _check(is_right: bool, problem: str) -> None:
    if not is_right:
        raise UserError(problem)


class _Facts(NamedTuple):
    """The content of ``strokes.json`` without the strokes."""

    video: str
    duration_s: float
    players: tuple[str, ...]
    rois: tuple[Roi | None, ...]
    class_names: tuple[str, ...]
    remarks: tuple[str, ...]


def _read_facts(path: Path) -> _Facts:
    with _explain(path):
        facts = json.loads(path.read_text(encoding="utf-8"))
        _check(isinstance(facts, dict), f"a {type(facts).__name__}")
        players, rois = _read_texts(facts, "players"), facts["rois"]
        _check(len(set(players)) == len(players) > 0, f"`players` {', '.join(players) or 'without a name'}")
        _check(isinstance(rois, list), f"`rois` {_show(rois)}, which is no list")
        for roi in rois:
            _check(roi is None or isinstance(roi, list), f"a region {_show(roi)}, which is no list")
            check_roi(roi)
        video, duration_s = facts["video"], facts["duration_s"]
        _check(isinstance(video, str), f"`video` {_show(video)}, which is no name")
        is_number = isinstance(duration_s, int | float) and not isinstance(duration_s, bool)
        is_length = is_number and 0 < duration_s < math.inf
        _check(is_length, f"`duration_s` {_show(duration_s)}, which is no positive number")
        return _Facts(
            video,
            float(duration_s),
            players,
            tuple(None if roi is None else tuple(roi) for roi in rois),
            _read_texts(facts, "class_names"),
            _read_texts(facts, "remarks"),
        )


def _read_texts(facts: Mapping[str, Any], name: str) -> tuple[str, ...]:
    texts = facts[name]
    is_right = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
    _check(is_right, f"`{name}` {_show(texts)}, which is no list of texts")
    return tuple(texts)


def _show(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


class _Frames(NamedTuple):
    """The content of ``frames.npz``."""

    class_names: tuple[str, ...]
    times_s: np.ndarray
    probabilities: np.ndarray


def _read_frames(path: Path, facts: _Facts) -> _Frames:
    with _open_arrays(path) as arrays:
        times_s = np.asarray(arrays["times_s"], np.float64)
        names = tuple(map(str, np.atleast_1d(arrays["class_names"]).tolist()))
        probabilities = arrays["probabilities"].astype(np.float32)
        is_series = times_s.ndim == 1 and np.isfinite(times_s).all() and (np.diff(times_s) >= 0).all()
        _check(bool(is_series), "`times_s` that are no ascending times")
        _check_players(arrays, facts)
        shape = (len(facts.players), len(times_s), len(names))
        _check(
            probabilities.shape == shape,
            f"`probabilities` of the shape {probabilities.shape} for {shape[0]} players, {shape[1]} frames "
            f"and {shape[2]} classes",
        )
        _check(bool(np.isfinite(probabilities).all()), "`probabilities` that are no numbers")
        return _Frames(names, times_s, probabilities)


@contextmanager
def _open_arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    with (
        _explain(path),
        path.open("rb") as file,
        np.load(file) as arrays,
    ):  # np.load leaves a damaged file open
        yield arrays


def _check_players(arrays: Mapping[str, np.ndarray], facts: _Facts) -> None:
    found = tuple(map(str, np.atleast_1d(arrays["players"]).tolist()))
    _check(
        found == facts.players,
        f"the players {', '.join(found)}, but strokes.json has {', '.join(facts.players)}",
    )


def _read_strokes(path: Path, facts: _Facts) -> tuple[Stroke, ...]:
    with _explain(path), path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        columns = set(reader.fieldnames or ())
        if not {"start_s", "end_s", "label"} <= columns <= set(STROKE_COLUMNS):
            raise UserError(f"other columns than {', '.join(STROKE_COLUMNS)}")
        strokes = []
        for row in reader:
            try:
                strokes.append(_read_stroke({name: cell or "" for name, cell in row.items()}, facts))
            except ValueError as error:
                raise UserError(f"line {reader.line_num}: {error}") from error
    return tuple(sorted(strokes, key=lambda stroke: stroke.start_s))


def _read_stroke(row: Mapping[str, str], facts: _Facts) -> Stroke:
    players = facts.players
    contact_s, confidence = (row.get(name, "").strip() for name in ("contact_s", "confidence"))
    player = row.get("player", "").strip() or (players[0] if len(players) == 1 else "")
    if player not in players or not row["label"].strip():
        raise UserError(
            f"a stroke '{row['label']}' of the player '{player}'; the players are {', '.join(players)}"
        )
    stroke = Stroke(
        row["label"].strip(),
        float(row["start_s"]),
        float(row["end_s"]),
        float(contact_s) if contact_s else None,
        float(confidence) if confidence else None,
        player,
    )
    _check(
        stroke.start_s < facts.duration_s and stroke.end_s <= facts.duration_s + _LATE_S,
        f"a stroke from {stroke.start_s:g} to {stroke.end_s:g} s; the video has {facts.duration_s:g} s",
    )
    _check(
        stroke.confidence is None or 0 <= stroke.confidence <= 1,
        f"a confidence of {stroke.confidence}, which is not from 0 to 1",
    )
    return stroke


def _read_motion(path: Path, facts: _Facts, times_s: np.ndarray) -> PlayerMotion:
    with _open_arrays(path) as joints:
        parts = (joints["points"], joints["visibility"][..., None], joints["world"])
        poses = np.concatenate([part.astype(np.float32) for part in parts], -1)
        hand_speed = np.asarray(joints["hand_speed"], np.float32)
        motion = PlayerMotion(poses, hand_speed, joints["is_new_scene"], float(joints["least_speed"]))
        shape = (len(facts.players), len(times_s))
        found = motion.poses.shape[:2], motion.hand_speed.shape, motion.is_new_scene.shape
        if found != (shape, shape, shape[1:]):
            raise UserError(f"joints of {found[0]} players and images, but frames.npz has {shape}")
        _check(poses.shape[2:] == (len(BLAZEPOSE33.joints), 6), f"bodies of the shape {poses.shape[2:]}")
        _check(not np.isinf(poses).any(), "joints at infinity")
        _check(motion.is_new_scene.dtype == bool, "`is_new_scene` that is neither true nor false")
        _check(0 < motion.least_speed < math.inf, f"`least_speed` {motion.least_speed}")
        _check_players(joints, facts)
        own_s = joints["times_s"]
        is_same = own_s.shape == times_s.shape and np.allclose(own_s, times_s, rtol=0, atol=1e-6)
        _check(is_same, "joints at other times than frames.npz has, which are those of another video")
        return motion
