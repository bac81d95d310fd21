"""Scores how close strokes are to those of experts."""

from functools import cached_property

import numpy as np

from tt_actions.coach.alignment import distances, pose_path
from tt_actions.coach.references import References
from tt_actions.coach.stroke import RATE_HZ, StrokeMotion

NEAR = 0.45
"""Distance in trunk lengths, about 22 cm, below which a stroke is never unlike the references."""

_NEAREST = 3
_LOOKED_AT = 10


class Closeness:
    """Scores strokes of a class from 0 to 100 by their distance to reference strokes after alignment.

    The distance of a stroke is its mean distance to the three nearest references. The distance of a reference
    counts only references of other groups. A stroke scores 100 if its distance is at most the median distance
    of the references, and 50 at twice that distance.

    Args:
        references: The experts' strokes.
    """

    def __init__(self, references: References) -> None:
        self.references = references

    @cached_property
    def _paths(self) -> np.ndarray:
        return np.stack([pose_path(stroke, RATE_HZ) for stroke in self.references.strokes]).astype(np.float32)

    @cached_property
    def own_distances(self) -> np.ndarray:
        """The distance of each reference to the references of other groups, ``(N,)``."""
        groups = np.array(self.references.groups)
        own = []
        for number, path in enumerate(self._paths):
            others = groups != groups[number]
            if not others.any():
                others = np.arange(len(groups)) != number
            own.append(_nearest(path, self._paths[others]))
        return np.array(own)

    def distance(self, stroke: StrokeMotion) -> float:
        """Return a stroke's distance to the references, in trunk lengths.

        Args:
            stroke: A stroke of the layout of the references.
        """
        return _nearest(pose_path(stroke, RATE_HZ), self._paths)

    @cached_property
    def limit(self) -> float:
        """The distance beyond which a stroke is unlike all references.

        It is the upper fence of Tukey (1977) of the references' own distances, but at least :data:`NEAR`:
        the third quartile plus 1.5 times the distance between the quartiles.
        """
        first, third = np.quantile(self.own_distances, (0.25, 0.75))
        return max(NEAR, float(third + 1.5 * (third - first)))

    def score(self, stroke: StrokeMotion) -> float:
        """Return the closeness score of a stroke, from 0 to 100.

        Args:
            stroke: A stroke of the layout of the references.
        """
        return self.to_score(self.distance(stroke))

    @cached_property
    def own_scores(self) -> np.ndarray:
        """The score of each reference, computed from the references of other groups, ``(N,)``."""
        return np.array([self.to_score(distance) for distance in self.own_distances])

    def to_score(self, distance: float) -> float:
        """Convert a distance to a score.

        Args:
            distance: Distance in trunk lengths.
        """
        return float(100 * min(1.0, np.median(self.own_distances) / max(distance, 1e-9)))


def _nearest(path: np.ndarray, others: np.ndarray) -> float:
    """Return the mean distance to the references nearest after alignment, out of those nearest before it."""
    apart = ((others - path) ** 2).sum((1, 2, 3))
    near = others[np.argsort(apart, kind="stable")[:_LOOKED_AT]]
    return float(np.sort(distances(path, near))[:_NEAREST].mean())
