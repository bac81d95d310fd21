"""The tennis court: its surface and lines, drawn on the floor of the hall, and the net."""

import numpy as np

from tt_actions.sources.synthetic.strokes import TENNIS_HOME_M
from tt_actions.sources.synthetic.table import fill, rectangle

BASELINE_M = TENNIS_HOME_M + 0.7
"""Position of the near baseline along x."""

SINGLES_M, DOUBLES_M, SERVICE_M, HALF_M = 4.115, 5.485, 5.485, 11.885
"""Half the width for singles and for doubles; from the baseline to the service line, and to the net."""

NET_HEIGHT_M = 0.97

_SURFACES = ((58, 104, 150), (70, 126, 84), (176, 98, 62), (92, 96, 110), (44, 84, 122), (120, 70, 60))
_LINE_M = 0.07


def draw_court(rng: np.random.Generator, camera: np.ndarray, picture: np.ndarray) -> None:
    """Draw a tennis court into the image of an empty hall.

    Args:
        rng: Random generator, for the colours.
        camera: The camera, ``(3, 4)``.
        picture: The hall, RGB; modified in place.

    Shape:
        picture ``(H, W, 3)``, uint8.
    """
    far = BASELINE_M + 2 * HALF_M
    ground = (0.0, 0.0)
    surface = np.array(_SURFACES[rng.integers(len(_SURFACES))]) * rng.uniform(0.8, 1.2)
    fill(picture, camera, rectangle((BASELINE_M, far), (-DOUBLES_M, DOUBLES_M), ground), surface.tolist())
    white = np.full(3, rng.uniform(205, 245)).tolist()
    net = BASELINE_M + HALF_M
    for y in (-DOUBLES_M, -SINGLES_M, SINGLES_M, DOUBLES_M):
        fill(picture, camera, rectangle((BASELINE_M, far), _around(y), ground), white)
    for x, reach in (
        (BASELINE_M, DOUBLES_M),
        (BASELINE_M + SERVICE_M, SINGLES_M),
        (far - SERVICE_M, SINGLES_M),
        (far, DOUBLES_M),
    ):
        fill(picture, camera, rectangle(_around(x), (-reach, reach), ground), white)
    fill(picture, camera, rectangle((BASELINE_M + SERVICE_M, far - SERVICE_M), _around(0.0), ground), white)
    mesh = rectangle((net, net), (-DOUBLES_M - 0.9, DOUBLES_M + 0.9), (0.0, NET_HEIGHT_M))
    fill(picture, camera, mesh, (38, 42, 40))
    band = rectangle((net, net), (-DOUBLES_M - 0.9, DOUBLES_M + 0.9), (NET_HEIGHT_M - 0.07, NET_HEIGHT_M))
    fill(picture, camera, band, white)


def _around(position_m: float) -> tuple[float, float]:
    return position_m - _LINE_M / 2, position_m + _LINE_M / 2
