"""Results of a match analysis, and the files that store them."""

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tt_actions.clips import stroke_table
from tt_actions.clips.strokes import Stroke
from tt_actions.errors import UserError
from tt_actions.files import write_atomically, write_rows
from tt_actions.pose.video import POINTS, VISIBILITY, WORLD
from tt_actions.recognition.result_forms import PICTURES, make_data_frame
from tt_actions.skeleton.layouts import BLAZEPOSE33
from tt_actions.video.types import Roi

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ADVICE = "and analyse the match again"

_PARTS_OF_PIXEL = 8  # the pose model is not more accurate than an eighth of a pixel

STROKE_COLUMNS = stroke_table.COLUMNS


class PlayerMotion(NamedTuple):
    """The joints of the players in a match, and the speed of their hands.

    Args:
        poses: Landmarks of each player in each image: see :class:`tt_actions.pose.video.PoseFrame`; NaN while
            a player is not found.
        hand_speed: Speed of the faster hand relative to the hips, in trunk lengths per second; NaN while a
            player is not found.
        is_new_scene: Whether the video was cut before each image.
        least_speed: Lowest speed of the hand in a swing, in trunk lengths per second.

    Shape:
        poses ``(P, T, 33, 6)``, hand_speed ``(P, T)``, both float32; is_new_scene ``(T,)``, bool.
    """

    poses: np.ndarray
    hand_speed: np.ndarray
    is_new_scene: np.ndarray
    least_speed: float

    @property
    def is_flat(self) -> bool:
        """Whether joints are known in the image but not in space, as from a user's own pose model."""
        is_known = ~np.isnan(self.poses)
        return bool(is_known[..., POINTS].any() and not is_known[..., WORLD].any())


@dataclass(frozen=True, repr=False)
class MatchAnalysis:
    """The strokes of a match, and the probabilities from which they were found; a notebook draws them.

    Args:
        video: The video that was analysed.
        duration_s: Length of the video in seconds.
        class_names: Names of the stroke classes, without the background.
        players: Names of the *P* players.
        strokes: The strokes of all players, sorted by start; each names its player.
        frame_classes: Names of the model's *K* classes; one of them may be the background.
        times_s: When each frame is shown, in seconds, ascending.
        probabilities: Probability of each class for each player and frame, in [0, 1].
        remarks: Reasons for less trust in the results, one sentence each: a damaged video, or strokes unlike
            those of the training, or a player who is not found.
        motion: Joints of the players; None for a model of frames.
        rois: Region (x0, y0, x1, y1) of each player in pixels of the upright frame, or None for the whole
            frame; empty if the regions are unknown.

    Shape:
        times_s ``(T,)``, probabilities ``(P, T, K)``, float32.

    Raises:
        ValueError: If the shapes disagree, a stroke's class or player is not in the lists, the strokes are
            not sorted, or the duration is not positive.
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
    motion: PlayerMotion | None = None
    rois: tuple[Roi | None, ...] = ()

    def __post_init__(self) -> None:
        shape = (len(self.players), len(self.times_s), len(self.frame_classes))
        if self.probabilities.shape != shape:
            raise UserError(
                f"Expected `probabilities` for {shape[0]} players, {shape[1]} frames and {shape[2]} classes, "
                f"but got the shape {self.probabilities.shape}."
            )
        if len(self.rois) not in (0, shape[0]):
            raise UserError(f"Expected `rois` of {shape[0]} players, but got {len(self.rois)}.")
        if not 0 < self.duration_s < math.inf:
            raise UserError(f"Expected `duration_s` to be positive, but got {self.duration_s}.")
        for stroke in self.strokes:
            if stroke.label not in self.class_names or stroke.player not in self.players:
                raise UserError(
                    f"Expected strokes of the classes {', '.join(self.class_names)} and the players "
                    f"{', '.join(self.players)}, but got '{stroke.label}' by '{stroke.player}' at "
                    f"{stroke.start_s} s."
                )
        if list(self.strokes) != sorted(self.strokes, key=lambda stroke: stroke.start_s):
            raise UserError("Expected `strokes` sorted by start, but got another order. Sort them.")

    @property
    def name(self) -> str:
        """The video's file name, with question marks for bytes that can't be decoded."""
        return self.video.name.encode("utf-8", "replace").decode()

    def __repr__(self) -> str:
        counts = Counter(stroke.label for stroke in self.strokes)
        strokes = ", ".join(f"{name} {number}" for name, number in counts.most_common(4))
        more = ", ..." if len(counts) > 4 else ""
        players = "" if len(self.players) < 2 else f"; {', '.join(self.players)}"
        remarks = "" if not self.remarks else f"; {len(self.remarks)} remark{'s'[: len(self.remarks) - 1]}"
        found = f"{len(self.strokes)} strokes" + (f": {strokes}{more}" if strokes else "")
        return f"MatchAnalysis({self.name!r}, {self.duration_s:.1f} s; {found}{players}{remarks})"

    def plot(self) -> "Figure":
        """Draw the strokes over time, one row per player."""
        from tt_actions.recognition.figures import plot_match

        return plot_match(self)

    def save(self, path: Path | str) -> None:
        """Write the analysis to a folder, or a part of it to a file.

        Args:
            path: A folder for the files of :func:`write_analysis`, a ``.csv`` file for the strokes, or a
                ``.png``, ``.svg`` or ``.pdf`` file for the timeline.

        Raises:
            OSError: If a file can't be written.
        """
        path = Path(path)
        if path.suffix == ".csv":
            write_strokes(path, self)
        elif path.suffix in PICTURES:
            from tt_actions.recognition.figures import write_picture

            write_picture(path, self.plot())
        else:
            write_analysis(path, self)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row per stroke and the columns :data:`STROKE_COLUMNS`.

        Raises:
            UserError: If pandas is not installed.
        """
        strokes = self.strokes
        return make_data_frame({name: [getattr(s, name) for s in strokes] for name in STROKE_COLUMNS})

    def _repr_png_(self) -> bytes:
        from tt_actions.recognition.figures import to_png

        return to_png(self.plot())


def stroke_cells(stroke: Stroke) -> tuple[float | None, ...]:
    """Round a stroke's numbers as in the files: times to milliseconds, the confidence to four decimals.

    Args:
        stroke: The stroke.

    Returns:
        Start, contact and end in seconds, and the confidence; None for an unknown number.

    >>> stroke_cells(Stroke("serve", 0.12345, 1.0, confidence=0.98765))
    (0.123, None, 1.0, 0.9877)
    """
    numbers = ((stroke.start_s, 3), (stroke.contact_s, 3), (stroke.end_s, 3), (stroke.confidence, 4))
    return tuple(None if number is None else round(float(number), digits) for number, digits in numbers)


def stroke_row(stroke: Stroke) -> tuple[str | None, ...]:
    """Return a stroke as a row with the columns :data:`STROKE_COLUMNS`.

    Args:
        stroke: The stroke.

    >>> stroke_row(Stroke("serve", 0.12345, 1.0, confidence=0.98765))
    ('0.123', None, '1.000', 'serve', '0.9877', None)
    """
    *times_s, confidence = stroke_cells(stroke)
    cells = [None if time_s is None else f"{time_s:.3f}" for time_s in times_s]
    confidence_cell = None if confidence is None else f"{confidence:.4f}"
    return (*cells, stroke.label, confidence_cell, stroke.player)


def write_clock(seconds: float) -> str:
    """Format a time in a video as a video player shows it.

    Args:
        seconds: The time.

    >>> write_clock(62.9), write_clock(3725)
    ('1:02', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def write_strokes(path: Path, analysis: MatchAnalysis) -> None:
    """Write the strokes of an analysis as a CSV file.

    Args:
        path: The file.
        analysis: The results.

    Raises:
        OSError: If it can't be written.
    """
    write_rows(path, STROKE_COLUMNS, map(stroke_row, analysis.strokes), ADVICE)


def write_analysis(folder: Path, analysis: MatchAnalysis) -> None:
    """Write ``strokes.csv``, ``strokes.json``, ``frames.npz`` and, for a model of joints, ``joints.npz``.

    Each file is written completely or not at all. Probabilities are stored as float16, which keeps three
    digits.

    Args:
        folder: Folder to write to; created if it doesn't exist.
        analysis: The results.

    Raises:
        OSError: If a file can't be written.
    """
    write_strokes(folder / "strokes.csv", analysis)
    document = {
        "video": analysis.name,
        "duration_s": round(analysis.duration_s, 3),
        "players": analysis.players,
        "rois": analysis.rois,
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
    if analysis.motion is not None:
        _write_joints(folder / "joints.npz", analysis, analysis.motion)


def _write_joints(path: Path, analysis: MatchAnalysis, motion: PlayerMotion) -> None:
    """Write the joints in three arrays, without digits that mean nothing but take space."""
    points = np.round(motion.poses[..., POINTS] * _PARTS_OF_PIXEL) / _PARTS_OF_PIXEL
    with write_atomically(path, ADVICE) as temporary:
        np.savez_compressed(
            temporary,
            times_s=analysis.times_s,
            players=np.array(analysis.players, dtype=np.str_),
            landmarks=np.array(BLAZEPOSE33.joints, dtype=np.str_),
            points=points.astype(np.float32),
            visibility=motion.poses[..., VISIBILITY].astype(np.float16),
            world=motion.poses[..., WORLD].astype(np.float16),
            hand_speed=motion.hand_speed.astype(np.float32),
            is_new_scene=motion.is_new_scene,
            least_speed=np.float64(motion.least_speed),
        )


def _fields(stroke: Stroke) -> dict[str, Any]:
    start_s, contact_s, end_s, confidence = stroke_cells(stroke)
    cells = (start_s, contact_s, end_s, stroke.label, confidence, stroke.player)
    return dict(zip(STROKE_COLUMNS, cells, strict=True))
