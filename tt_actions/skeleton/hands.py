"""The speed of a player's hands, by which swings are found."""

import numpy as np

from tt_actions.skeleton.layouts import Layout
from tt_actions.skeleton.normalise import centre_of

_STEADY_S = 1 / 6  # duration over which the speed is averaged


def hand_of(layout: Layout, side: str) -> str:
    """Return the name of the outermost reliable joint of an arm: the hand or, if there is none, the wrist.

    Args:
        layout: Layout of the joints.
        side: ``left`` or ``right``.
    """
    return f"{side}_hand" if f"{side}_hand" in layout.joints else f"{side}_wrist"


def hand_speeds(joints: np.ndarray, layout: Layout, fps: float) -> np.ndarray:
    """Return the speed of each hand relative to the hips, averaged over a sixth of a second.

    A jump that lasts one frame has no effect, because a pose model makes such mistakes.

    Args:
        joints: Positions, none missing.
        layout: Layout of a body.
        fps: Frames per second.

    Returns:
        The speeds of the left and of the right hand per second, in the unit of the positions.

    Shape:
        joints ``(T, V, C)`` -> ``(T, 2)``.

    >>> from tt_actions.skeleton.layouts import MOVENET13
    >>> joints = np.zeros((30, 13, 2)); joints[:, MOVENET13.index("left_wrist"), 0] = np.arange(30) / 10
    >>> hand_speeds(joints, MOVENET13, 30)[15].round(3).tolist()
    [3.0, 0.0]
    """
    from scipy.ndimage import median_filter, uniform_filter1d  # takes long to import

    sides = [layout.index(hand_of(layout, side)) for side in ("left", "right")]
    hands = joints[:, sides] - centre_of(joints, layout)[:, None]
    if len(hands) < 2:
        return np.zeros((len(hands), 2))
    steps = np.linalg.norm(np.diff(hands, axis=0), axis=-1) * fps
    steps = median_filter(steps, (3, 1), mode="nearest")
    at_frames = np.concatenate([steps[:1], (steps[:-1] + steps[1:]) / 2, steps[-1:]])
    width = 2 * round(_STEADY_S * fps / 2) + 1
    return np.asarray(uniform_filter1d(at_frames, width, axis=0, mode="nearest"))
