"""What was found in a video of a match, and the files it is kept in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.files import write_atomically, write_rows

ADVICE = "and analyse the match again"

STROKE_COLUMNS = ("start_s", "contact_s", "end_s", "label", "confidence", "player")


@dataclass(frozen=True)
class MatchAnalysis:
    """The strokes of a match, and the probabilities that they were found by.

    Args:
        video: The video that was analysed.
        duration_s: Its length in seconds.
        class_names: Names of the strokes' classes, the background left out.
        players: Names of the *P* players.
        strokes: All players' strokes by their beginning, each with its player.
        frame_classes: Names of the model's *K* classes; one of them may be the background.
        times_s: When each frame is shown, rising.
        probabilities: Of every player, frame and class, in [0, 1].
        remarks: Sentences on what limits the trust in it: a damaged video, strokes unlike those learnt.

    Shape:
        times_s ``(T,)``, probabilities ``(P, T, K)``, float32.

    Raises:
        ValueError: If the shapes disagree, a stroke's class or player is none of those named, the strokes are
            not in order, or the duration is not positive.
    """

    video: Path
    duration_s: float
    class_names: tuple[str, ...]
    players: tuple[str, ...]
    strokes: tuple[Stroke, ...]
    frame_classes: tuple[str, ...]
    times_s: np.ndarray
    probabilities: np.ndarray
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.players), len(self.times_s), len(self.frame_classes))
        if self.probabilities.shape != shape:
            raise UserError(
                f"Expected `probabilities` of {shape[0]} players, {shape[1]} frames and {shape[2]} classes, "
                f"but got the shape {self.probabilities.shape}."
            )
        if self.duration_s <= 0:
            raise UserError(f"Expected `duration_s` to be positive, but got {self.duration_s}.")
        for stroke in self.strokes:
            if stroke.label not in self.class_names or stroke.player not in self.players:
                raise UserError(
                    f"Expected strokes of {', '.join(self.class_names)} by {', '.join(self.players)}, but "
                    f"got '{stroke.label}' by '{stroke.player}' at {stroke.start_s} s."
                )
        if list(self.strokes) != sorted(self.strokes, key=lambda stroke: stroke.start_s):
            raise UserError("Expected `strokes` by their beginning, but got another order. Sort them.")

    @property
    def name(self) -> str:
        """The video's file name; bytes in it that are no letters are question marks."""
        return self.video.name.encode("utf-8", "replace").decode()


def stroke_cells(stroke: Stroke) -> tuple[float | None, ...]:
    """Give a stroke's numbers as precisely as they are written: milliseconds, and four decimals.

    Args:
        stroke: The stroke.

    Returns:
        Start, contact and end in seconds, and the confidence; None is not known.

    >>> stroke_cells(Stroke("serve", 0.12345, 1.0, confidence=0.98765))
    (0.123, None, 1.0, 0.9877)
    """
    numbers = ((stroke.start_s, 3), (stroke.contact_s, 3), (stroke.end_s, 3), (stroke.confidence, 4))
    return tuple(None if number is None else round(float(number), digits) for number, digits in numbers)


def stroke_row(stroke: Stroke) -> tuple[str | None, ...]:
    """Give a stroke's cells under :data:`STROKE_COLUMNS`.

    Args:
        stroke: The stroke.

    >>> stroke_row(Stroke("serve", 0.12345, 1.0, confidence=0.98765))
    ('0.123', None, '1.000', 'serve', '0.9877', None)
    """
    *times_s, confidence = stroke_cells(stroke)
    cells = [None if time_s is None else f"{time_s:.3f}" for time_s in times_s]
    sure = None if confidence is None else f"{confidence:.4f}"
    return (*cells, stroke.label, sure, stroke.player)


def write_analysis(folder: Path, analysis: MatchAnalysis) -> None:
    """Write ``strokes.csv``, ``strokes.json`` and ``frames.npz``, each whole or not at all.

    The probabilities are kept as float16, to three digits.

    Args:
        folder: Where to; it is made where it is absent.
        analysis: What was found.

    Raises:
        OSError: If a file can't be written.
    """
    write_rows(folder / "strokes.csv", STROKE_COLUMNS, map(stroke_row, analysis.strokes), ADVICE)
    document = {
        "video": analysis.name,
        "duration_s": round(analysis.duration_s, 3),
        "players": analysis.players,
        "class_names": analysis.class_names,
        "remarks": analysis.remarks,
        "strokes": [_fields(stroke) for stroke in analysis.strokes],
    }
    with write_atomically(folder / "strokes.json", ADVICE) as temporary:
        temporary.write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    with write_atomically(folder / "frames.npz", ADVICE) as temporary:
        np.savez_compressed(
            temporary,
            times_s=analysis.times_s,
            probabilities=analysis.probabilities.astype(np.float16),
            class_names=np.array(analysis.frame_classes, dtype=np.str_),
            players=np.array(analysis.players, dtype=np.str_),
        )


def _fields(stroke: Stroke) -> dict[str, Any]:
    start_s, contact_s, end_s, confidence = stroke_cells(stroke)
    cells = (start_s, contact_s, end_s, stroke.label, confidence, stroke.player)
    return dict(zip(STROKE_COLUMNS, cells, strict=True))
