"""Groups of strokes that look alike, for strokes without a name."""

from collections.abc import Sequence

import numpy as np

from tt_actions.skeleton.layouts import Layout

MAX_GROUPS = 8
"""Largest number of groups. Two may show the same stroke: naming both is quicker than splitting one."""

STROKES_PER_GROUP = 4
"""Least number of strokes per group, on average."""

NUM_TIMES = 16
"""Number of times at which the joints of two strokes are compared."""

_UPPER = ("hips", "hip", "spine", "neck", "head", "shoulder", "elbow", "wrist", "hand")
_NUM_COMPONENTS = 10


def group_strokes(strokes: Sequence[np.ndarray], layout: Layout) -> np.ndarray:
    """Group strokes by the course of the joints above the legs.

    The positions at equally spaced times are reduced to ten principal components and grouped by k-means
    (Lloyd 1982). There is one group for every four strokes, up to eight groups.

    Args:
        strokes: The normalised joints of each stroke, none missing.
        layout: Layout of a body.

    Returns:
        The number of each stroke's group, from 0; the largest group comes first.

    Shape:
        each of strokes ``(T, V, C)`` -> ``(N,)``, int64.

    >>> from tt_actions.skeleton.layouts import MOVENET13
    >>> low, high = np.zeros((9, 13, 2)), np.ones((9, 13, 2))
    >>> group_strokes([low, high, low, low, low, high, low, high], MOVENET13).tolist()
    [0, 1, 0, 0, 0, 1, 0, 1]
    """
    from sklearn.cluster import KMeans  # takes long to import

    num_groups = min(MAX_GROUPS, len(strokes) // STROKES_PER_GROUP)
    if num_groups < 2:
        return np.zeros(len(strokes), np.int64)
    upper = [i for i, name in enumerate(layout.joints) if name.split("_")[-1] in _UPPER]
    rows = np.stack([_resample(joints[:, upper]).ravel() for joints in strokes])
    rows = rows - rows.mean(0)
    vectors, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    components = vectors[:, :_NUM_COMPONENTS] * sizes[:_NUM_COMPONENTS]
    num_groups = min(num_groups, len(np.unique(components.round(6), axis=0)))
    groups = KMeans(num_groups, n_init=20, random_state=0).fit_predict(components)
    order = np.argsort(-np.bincount(groups, minlength=num_groups), kind="stable")
    return np.asarray(np.argsort(order)[groups])


def _resample(joints: np.ndarray) -> np.ndarray:
    """Return the positions at equally spaced times: ``(T, V, C)`` -> ``(NUM_TIMES, V, C)``."""
    places = np.linspace(0, len(joints) - 1, NUM_TIMES)
    before = places.astype(int)
    share = (places - before)[:, None, None]
    return np.asarray(joints[before] * (1 - share) + joints[np.minimum(before + 1, len(joints) - 1)] * share)
