"""Pictures of a player in some frames of a video, with the player in the middle."""

from typing import NamedTuple

import numpy as np

from tt_actions.clips.records import ClipRecord
from tt_actions.video.frames import iter_frames

MARGIN = 1.3
"""Side of a picture as a multiple of the largest extent of the player."""


class PlayerPictures(NamedTuple):
    """Square pictures of a player.

    Args:
        images: The pictures, black where they reach out of the video.
        points: Position of each joint in its picture, in pixels (x to the right, y down); NaN if unknown.

    Shape:
        images ``(N, S, S, 3)``, uint8 RGB, points ``(N, V, 2)``.
    """

    images: np.ndarray
    points: np.ndarray


def cut_out_player(clip: ClipRecord, fps: float, chosen: np.ndarray, points: np.ndarray) -> PlayerPictures:
    """Cut the player out of some frames of a video.

    Args:
        clip: The clip.
        fps: Frames per second, by which frames are counted from the start of the clip.
        chosen: Indices of the frames.
        points: Position of each joint in these frames, in pixels; NaN for a joint that is unknown, and for
            all joints while the player is not found.

    Shape:
        chosen ``(N,)``, points ``(N, V, 2)``.

    Raises:
        VideoError: If the clip can't be read.
    """
    wanted = set(chosen.tolist())
    frames = enumerate(iter_frames(clip.path, fps=fps, start_s=clip.start_s, end_s=clip.end_s))
    images = {index: image.copy() for index, (_, image) in frames if index in wanted}
    lows, highs = np.fmin.reduce(points, 1), np.fmax.reduce(points, 1)  # (N, 2), of the known joints
    is_found = ~np.isnan(lows).any(1)
    side = max(16, round(MARGIN * float((highs - lows)[is_found].max(initial=0))))
    centres = np.where(is_found[:, None], (lows + highs) / 2, np.nanmean(points, (0, 1)))
    corners = (centres - side / 2).round().astype(int)
    last = max(images)
    room = np.array(images[last].shape[1::-1]) - side  # a picture lies inside of the frame if it fits
    corners = np.where(room >= 0, corners.clip(0, room.clip(0)), corners)
    cut = [_cut(images[min(i, last)], corner, side) for i, corner in zip(chosen, corners, strict=True)]
    return PlayerPictures(np.stack(cut), points - corners[:, None])


def _cut(image: np.ndarray, corner: np.ndarray, side: int) -> np.ndarray:
    """Return a square of an image ``(side, side, 3)``, black outside of the image."""
    square = np.zeros((side, side, 3), np.uint8)
    height, width = image.shape[:2]
    (x0, y0), (x1, y1) = corner.clip(0), np.minimum(corner + side, [width, height])
    if x0 < x1 and y0 < y1:
        x, y = corner
        square[y0 - y : y1 - y, x0 - x : x1 - x] = image[y0:y1, x0:x1]
    return square
