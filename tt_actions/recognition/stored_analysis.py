"""Reading the files of a match analysis back."""

import csv
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.recognition.analysis import ADVICE, STROKE_COLUMNS, MatchAnalysis, PlayerMotion

_BROKEN = (ValueError, KeyError, TypeError, IndexError, EOFError, csv.Error, zipfile.BadZipFile, zlib.error)


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
        UserError: If a file is damaged or was written by an earlier version, or the files don't fit each
            other.
    """
    facts = _read_facts(folder / "strokes.json")
    with _open_arrays(folder / "frames.npz") as frames:
        times_s = np.asarray(frames["times_s"], np.float64)
        frame_classes = tuple(map(str, frames["class_names"].tolist()))
        probabilities = frames["probabilities"].astype(np.float32)
    joints, players = folder / "joints.npz", tuple(facts["players"])
    strokes = _read_strokes(folder / "strokes.csv", players)
    motion = _read_motion(joints, players, times_s) if joints.is_file() else None
    with _explain(folder / "strokes.json"):
        return MatchAnalysis(
            video=Path(facts["video"]) if video is None else video,
            duration_s=float(facts["duration_s"]),
            class_names=tuple(dict.fromkeys([*facts["class_names"], *(s.label for s in strokes)])),
            players=players,
            strokes=strokes,
            frame_classes=frame_classes,
            times_s=times_s,
            probabilities=probabilities,
            remarks=tuple(facts["remarks"]),
            motion=motion,
            rois=tuple(None if roi is None else tuple(map(int, roi)) for roi in facts["rois"]),  # type: ignore[misc]
        )


@contextmanager
def _explain(path: Path) -> Iterator[None]:
    """Name the file in errors that the block raises because it is missing or damaged."""
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Expected the results of an analysis in '{path.parent}', but there is no file '{path.name}'. "
            f"Check the path, or remove the folder {ADVICE}."
        ) from error
    except _BROKEN as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise UserError(
            f"Expected '{path}' as `analyze` of this version writes it, but got: {reason.rstrip('.')}. "
            f"Restore the file, or remove the folder {ADVICE}."
        ) from error


@contextmanager
def _open_arrays(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    with (
        _explain(path),
        path.open("rb") as file,
        np.load(file) as arrays,
    ):  # np.load leaves a damaged file open
        yield arrays


def _read_facts(path: Path) -> dict[str, Any]:
    with _explain(path):
        facts = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(facts, dict):
            raise UserError(f"a {type(facts).__name__}")
        for name in ("video", "duration_s", "players", "rois", "class_names", "remarks"):
            facts[name]
        return facts


def _read_strokes(path: Path, players: tuple[str, ...]) -> tuple[Stroke, ...]:
    with _explain(path), path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        columns = set(reader.fieldnames or ())
        if not {"start_s", "end_s", "label"} <= columns <= set(STROKE_COLUMNS):
            raise UserError(f"other columns than {', '.join(STROKE_COLUMNS)}")
        strokes = []
        for row in reader:
            try:
                strokes.append(_read_stroke({name: cell or "" for name, cell in row.items()}, players))
            except ValueError as error:
                raise UserError(f"line {reader.line_num}: {error}") from error
    return tuple(sorted(strokes, key=lambda stroke: stroke.start_s))


def _read_stroke(row: Mapping[str, str], players: tuple[str, ...]) -> Stroke:
    contact_s, confidence = (row.get(name, "").strip() for name in ("contact_s", "confidence"))
    player = row.get("player", "").strip() or (players[0] if len(players) == 1 else "")
    if player not in players or not row["label"].strip():
        raise UserError(
            f"a stroke '{row['label']}' of the player '{player}'; the players are {', '.join(players)}"
        )
    return Stroke(
        row["label"].strip(),
        float(row["start_s"]),
        float(row["end_s"]),
        float(contact_s) if contact_s else None,
        float(confidence) if confidence else None,
        player,
    )


def _read_motion(path: Path, players: tuple[str, ...], times_s: np.ndarray) -> PlayerMotion:
    with _open_arrays(path) as joints:
        parts = (joints["points"], joints["visibility"][..., None], joints["world"])
        poses = np.concatenate([part.astype(np.float32) for part in parts], -1)
        motion = PlayerMotion(
            poses, joints["hand_speed"], joints["is_new_scene"], float(joints["least_speed"])
        )
        shape = (len(players), len(times_s))
        found = motion.poses.shape[:2], motion.hand_speed.shape, motion.is_new_scene.shape
        if found != (shape, shape, shape[1:]):
            raise UserError(f"joints of {found[0]} players and images, but frames.npz has {shape}")
        return motion
