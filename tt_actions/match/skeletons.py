"""The skeleton of a player, drawn on the frames of a match."""

from collections.abc import Sequence
from itertools import chain

import cv2
import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.match.probability_band import DARK, LIGHT
from tt_actions.match.tiles import Colour
from tt_actions.pose.video import POINTS, WORLD
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.swing_reader import split_scenes
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import BLAZEPOSE33, BLAZEPOSE33_2D, MOVENET13, convert, middle
from tt_actions.skeleton.normalise import place_unseen
from tt_actions.video.types import Image

SWING_S = 0.1
"""Time before and after the contact in which the faster hand is the one that plays."""

_ARM = ("shoulder", "elbow", "wrist", "fingertips")
_LEG = ("hip", "knee", "ankle", "foot")
_TRUNK = ("left_shoulder", "right_shoulder", "right_hip", "left_hip", "left_shoulder")
_EARS = ("left_ear", "right_ear")
_LONGEST_GAP_S = 0.1  # over a longer gap, nothing is drawn
_KERNEL = np.array([0.25, 0.5, 0.25])  # steadies a standing body and keeps a fast hand in place
_THICKNESS = 1 / 22  # of a line, relative to the trunk
_MIN_THICKNESS, _MAX_THICKNESS = 2.0, 6.0
_SHIFT = 4  # bits of a pixel that OpenCV's coordinates have after the point
_SIDES = ("left", "right")


def find_skeletons(analysis: MatchAnalysis) -> dict[str, "Skeleton"]:
    """Return the skeleton of each player, by name; nothing if the analysis has no joints.

    Args:
        analysis: Result of the analysis.
    """
    if analysis.motion is None:
        return {}
    return {player: Skeleton(analysis, player) for player in analysis.players}


def _indices(names: Sequence[str]) -> list[int]:
    return [BLAZEPOSE33.index(name) for name in names]


_ARMS = {side: _indices([f"{side}_{name}" for name in _ARM]) for side in _SIDES}
_LEGS = {side: _indices([f"{side}_{name}" for name in _LEG]) for side in _SIDES}
_BODY = _indices(_TRUNK)
BODY = sorted({*_BODY, *_indices(_EARS), *chain(*_ARMS.values(), *_LEGS.values())})
"""Indices of the landmarks that are drawn, or that determine what is drawn."""


class Skeleton:
    """Draws the body of one player at any time of a match.

    The points are steadied over three images. Between two images, and over a gap of a tenth of a second, they
    are interpolated, but not across a cut. While the player is lost, nothing is drawn.

    Args:
        analysis: Result of an analysis with joints.
        player: Name of the player.
    """

    def __init__(self, analysis: MatchAnalysis, player: str) -> None:
        assert analysis.motion is not None
        self._times_s = analysis.times_s
        poses = analysis.motion.poses[analysis.players.index(player)]
        self._sides: dict[Stroke, str | None] = {}
        self._points = np.full((len(poses), len(BLAZEPOSE33.joints), 2), np.nan, np.float32)
        self._trunk = np.zeros(len(poses))
        self._hands = np.zeros((len(poses), len(_SIDES)))
        self._scene = np.full(len(poses), -1)
        steps_s = np.diff(self._times_s)
        self._step_s = float(np.median(steps_s)) if len(steps_s) else 0.04
        is_found = ~np.isnan(poses[:, 0, 0])
        scenes = split_scenes(is_found, analysis.motion.is_new_scene, round(_LONGEST_GAP_S / self._step_s))
        for number, scene in enumerate(scenes):
            points = place_unseen(_steady(_fill(poses[scene][..., POINTS])), BLAZEPOSE33_2D)
            world = poses[scene][..., WORLD]
            places = points if np.isnan(world).all() else _fill(world)  # some pose models know no depth
            self._hands[scene] = hand_speeds(
                convert(places, BLAZEPOSE33, MOVENET13), MOVENET13, 1 / self._step_s
            )
            self._points[scene], self._scene[scene] = points, number
            self._trunk[scene] = np.median(np.linalg.norm(_trunk(points), axis=-1))

    def points_at(self, time_s: float) -> np.ndarray | None:
        """Return the landmarks at a time in pixels of the video, or None while the player is lost.

        Args:
            time_s: The time in seconds.

        Shape:
            ``(33, 2)``.
        """
        before = int(np.searchsorted(self._times_s, time_s, "right")) - 1
        after = min(before + 1, len(self._times_s) - 1)
        if before < 0 or self._scene[before] < 0 or time_s > self._times_s[before] + 1.5 * self._step_s:
            return None
        if self._scene[before] != self._scene[after] or after == before:
            return np.asarray(self._points[before])
        share = (time_s - self._times_s[before]) / (self._times_s[after] - self._times_s[before])
        return np.asarray(self._points[before] + share * (self._points[after] - self._points[before]))

    def playing_side(self, stroke: Stroke) -> str | None:
        """Return the side of the arm that plays a stroke: that of the hand that is faster at the contact.

        Args:
            stroke: The stroke.

        Returns:
            ``left`` or ``right``, or None if the player is lost.
        """
        start_s, end_s = stroke.start_s, stroke.end_s
        if stroke.contact_s is not None:
            start_s, end_s = stroke.contact_s - SWING_S, stroke.contact_s + SWING_S
        first, last = np.searchsorted(self._times_s, [start_s, end_s])
        fastest = self._hands[first:last].max(0, initial=0)
        return _SIDES[int(fastest.argmax())] if fastest.any() else None

    def draw(
        self,
        image: Image,
        time_s: float,
        scale: float = 1.0,
        corner: tuple[float, float] = (0.0, 0.0),
        swing: tuple[Stroke, Colour] | None = None,
    ) -> None:
        """Draw the body into an image.

        Args:
            image: The image, changed in place.
            time_s: Its time in seconds.
            scale: Pixels of the image per pixel of the video.
            corner: x and y of the image's upper left corner in pixels of the video.
            swing: A stroke, and the colour of the arm that plays it.

        Shape:
            image ``(H, W, 3)``, contiguous.
        """
        points = self.points_at(time_s)
        if points is None:
            return
        trunk = float(self._trunk[np.searchsorted(self._times_s, time_s, "right") - 1]) * scale
        thickness = min(max(_MIN_THICKNESS, _THICKNESS * trunk), _MAX_THICKNESS)
        pixels = np.round((points - np.array(corner)) * scale * (1 << _SHIFT)).astype(np.int32)
        lines = [(pixels[_BODY], LIGHT), (_neck(pixels), LIGHT)]
        lines += [(pixels[_LEGS[side]], LIGHT) for side in _SIDES]
        lines += [(pixels[_ARMS[side]], self._colour_of(side, swing)) for side in _SIDES]
        edge = max(1, round(thickness / 2))  # both sides together
        for line, colour in lines:
            for width, ink in ((round(thickness) + edge, DARK), (round(thickness), colour)):
                cv2.polylines(image, [line], False, ink, width, cv2.LINE_AA, _SHIFT)

    def _colour_of(self, side: str, swing: tuple[Stroke, Colour] | None) -> Colour:
        """Return the colour of an arm."""
        if swing is None:
            return LIGHT
        stroke, colour = swing
        if stroke not in self._sides:
            self._sides[stroke] = self.playing_side(stroke)
        return colour if self._sides[stroke] == side else LIGHT


def _neck(pixels: np.ndarray) -> np.ndarray:
    """Return the line from the shoulders to the head."""
    shoulders = middle(pixels, BLAZEPOSE33, BLAZEPOSE33.shoulders)
    head = middle(pixels, BLAZEPOSE33, _EARS)
    return np.stack([shoulders, head]).astype(np.int32)


def _trunk(points: np.ndarray) -> np.ndarray:
    shoulders = middle(points, BLAZEPOSE33, BLAZEPOSE33.shoulders)
    return np.asarray(shoulders - middle(points, BLAZEPOSE33, BLAZEPOSE33.hips))


def _fill(points: np.ndarray) -> np.ndarray:
    """Interpolate the images of a scene in which the player is not found."""
    is_known = ~np.isnan(points[:, 0, 0])
    known, lost = np.flatnonzero(is_known), np.flatnonzero(~is_known)
    filled = points.copy()
    columns = filled.reshape(len(points), -1).T  # a view
    for column in columns:
        column[lost] = np.interp(lost, known, column[known])
    return filled


def _steady(points: np.ndarray) -> np.ndarray:
    padded = np.concatenate([points[:1], points, points[-1:]])
    shifted = [padded[shift : shift + len(points)] for shift in range(len(_KERNEL))]
    return np.asarray(sum(weight * part for weight, part in zip(_KERNEL, shifted, strict=True)))
