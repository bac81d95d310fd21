"""Joints of a layout from the landmarks that a pose model finds."""

import numpy as np

from tt_actions.pose.smoothing import smooth
from tt_actions.pose.video import POINTS, WORLD
from tt_actions.skeleton.layouts import BLAZEPOSE33, BLAZEPOSE33_2D, Layout, convert
from tt_actions.skeleton.sequence import FLIP_Y


def joints_of(landmarks: np.ndarray, layout: Layout) -> np.ndarray:
    """Smooth landmarks over time and convert them to the joints of a layout.

    Args:
        landmarks: See :func:`tt_actions.pose.video.find_poses`.
        layout: Layout of a body. In space, joints are in metres from the midpoint of the hips; in the image,
            they are in pixels with y up.

    Shape:
        landmarks ``(T, 33, 6)`` -> ``(T, V, C)``, NaN while no player is found.
    """
    is_flat = layout.num_coordinates == 2
    positions = smooth(landmarks[:, :, POINTS] * FLIP_Y if is_flat else landmarks[:, :, WORLD])
    return convert(positions, BLAZEPOSE33_2D if is_flat else BLAZEPOSE33, layout)
