"""Following one player from image to image."""

import math
from collections.abc import Iterator

import numpy as np

from tt_actions.pose.detections import Detection
from tt_actions.pose.model import Landmarks, PoseModel
from tt_actions.pose.regions import MARGIN, Region, region_around
from tt_actions.pose.smoothing import OneEuroFilter
from tt_actions.video.types import Image

MIN_SCORE = 0.3
"""Lowest probability of a person, when it is detected and while it is followed."""

NEAR = 2.0
"""Side of the square in which a lost player is looked for, relative to the last region."""

PARTS = (1.0, 0.5)
"""Sides of the squares in which small persons are looked for, relative to the image's shorter side."""

PATIENCE = 10
"""While there is nobody, these squares are searched in one image of so many, since they take long."""

MAX_SPEED = 6.0
"""Fastest that a player moves in the image, in diameters of the circle around the player per second."""

FORGOTTEN_S = 2.0
"""Seconds after a loss during which only a person near the last place can be the player."""

REST = 5
"""After that time, persons are looked for in one image of so many, since it takes long."""

REACH = 0.5
"""Further distance from the last place, in diameters, because the place of a detection is not exact."""

MAX_GROWTH = 2.0
"""Largest ratio of a person's size before and after a loss."""

JITTER = 0.1
"""Further distance by which the landmarks of the same player may differ, relative to the region."""


class PoseTracker:
    """Finds the joints of one player in the images of a video, one after the other.

    The region of an image comes from the landmarks of the image before, as in MediaPipe. The detector runs
    only when there is no player to follow: near the place where the player was lost, then in the whole image,
    then in overlapping squares of it, in which small persons are larger. At the beginning of a scene, the
    player is the largest person. After a loss, it is the nearest one of the same size who is no further away
    than a player can run; only after two seconds, anyone.

    The player is lost when the region shows no person, the scene changes, or the landmarks jump further than
    a person can move, since they then belong to somebody else.

    Args:
        model: The pose model.
        fps: Images per second; it may change from image to image.
    """

    def __init__(self, model: PoseModel, fps: float) -> None:
        self.model, self.fps = model, fps
        self._region: Region | None = None
        self._last: Region | None = None
        self._num_empty = 0
        self._num_lost = 0
        self._steady = self._new_filter()

    @property
    def is_following(self) -> bool:
        """Whether the player was found in the last image."""
        return self._region is not None

    def push(self, image: Image, is_new_scene: bool = False) -> Landmarks | None:
        """Return the player's landmarks in the next image, or None if there is no player.

        Args:
            image: An RGB image.
            is_new_scene: Whether the video was cut before this image.

        Shape:
            image ``(H, W, 3)``.
        """
        if is_new_scene:
            self._lose()
            self._last, self._num_empty, self._num_lost = None, 0, 0
        followed = self._region
        rests = self._num_lost > FORGOTTEN_S * self.fps and self._num_lost % REST
        region = None if rests else followed or self._detect(image)
        if region is None:
            self._num_lost += 1
            return None
        found = self.model.find_landmarks(image, region)
        if found.presence < MIN_SCORE or (followed is not None and self._jumps(followed, found)):
            self._lose()
            self._num_lost += 1
            return None
        self._last, self._num_lost, self._steady.fps = region, 0, self.fps
        self._region = region_around(*self._steady(found.anchors, 1 / _size(found.anchors)))
        return found

    def _lose(self) -> None:
        self._region, self._steady = None, self._new_filter()

    def _jumps(self, region: Region, found: Landmarks) -> bool:
        """Whether a person can't have moved from the middle of the region to here since the last image."""
        moved = math.dist(found.anchors[0], (region.x, region.y))
        return moved > MAX_SPEED / self.fps * _size(found.anchors) + JITTER * region.side

    def _detect(self, image: Image) -> Region | None:
        for square in self._squares(image):
            if person := self._choose(self.model.detect(image, square, MIN_SCORE)):
                self._num_empty = 0
                return region_around(*person.anchors)
        self._num_empty += 1
        return None

    def _choose(self, persons: list[Detection]) -> Detection | None:
        """Return the player, if one of the persons may be the player."""
        last, lost_s = self._last, self._num_lost / self.fps
        if last is None or lost_s > FORGOTTEN_S:
            return max(persons, key=lambda person: person.score * _size(person.anchors), default=None)
        size = last.side / MARGIN
        reach = (MAX_SPEED * lost_s + REACH) * size
        near = {
            math.dist(person.anchors[0], (last.x, last.y)): person
            for person in persons
            if 1 / MAX_GROWTH < _size(person.anchors) / size < MAX_GROWTH
        }
        nearest = min(near, default=math.inf)
        return near[nearest] if nearest <= reach else None

    def _squares(self, image: Image) -> Iterator[Region]:
        height, width = image.shape[:2]
        if self._last is not None:
            yield Region(self._last.x, self._last.y, NEAR * self._last.side)
        yield Region(width / 2, height / 2, max(height, width))
        if self._num_empty % PATIENCE == 0:
            for share in PARTS:
                side = share * min(height, width)
                for y in _centres(height, side):
                    yield from (Region(x, y, side) for x in _centres(width, side))

    def _new_filter(self) -> OneEuroFilter:
        return OneEuroFilter(self.fps, min_cutoff=0.01, beta=10.0)


def _size(anchors: np.ndarray) -> float:
    """Diameter of the circle around a person, in pixels."""
    return max(2 * float(np.linalg.norm(anchors[1] - anchors[0])), 1e-6)


def _centres(length: int, side: float) -> list[float]:
    """Centres of squares that overlap by at least half along one side of an image."""
    num = max(1, math.ceil(2 * (length - side) / side) + 1)
    return np.linspace(side / 2, length - side / 2, num).tolist() if num > 1 else [length / 2]
