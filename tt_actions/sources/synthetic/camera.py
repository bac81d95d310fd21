"""Perspective cameras: projection of points in metres to pixels."""

import numpy as np

Size = tuple[int, int]
"""Width and height of a frame in pixels."""

NEAR_M = 0.3
"""Minimum distance from the camera; nearer things are not drawn."""


def look_at(position: np.ndarray, target: np.ndarray, focal_px: float, centre_px: np.ndarray) -> np.ndarray:
    """Build the matrix K [R | t] of an upright camera.

    Hartley & Zisserman, Multiple View Geometry, 2nd ed., section 6.1; x to the right, y down, z ahead.

    Args:
        position: Centre of the camera in metres.
        target: A point on the optical axis in metres, not straight above or below the camera.
        focal_px: Focal length in pixels.
        centre_px: Image point of the optical axis, (x, y) in pixels.

    Shape:
        position and target ``(3,)``, centre_px ``(2,)`` -> ``(3, 4)``; the third row gives metres of depth.
    """
    ahead = (target - position) / np.linalg.norm(target - position)
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(ahead, right), ahead])
    intrinsics = np.array([[focal_px, 0, centre_px[0]], [0, focal_px, centre_px[1]], [0, 0, 1]])
    matrix: np.ndarray = intrinsics @ np.column_stack([rotation, -rotation @ position])
    return matrix


def project(camera: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project points to pixels; (0, 0) is the centre of the first pixel.

    Args:
        camera: Camera matrices, as from :func:`look_at`.
        points: Points in metres; a point behind the camera gets a meaningless pixel and a negative depth.

    Returns:
        Pixels (x, y), and depths in metres along the camera's axis.

    Shape:
        camera ``(..., 3, 4)``, points ``(..., N, 3)`` -> pixels ``(..., N, 2)``, depths ``(..., N)``.
    """
    seen = points @ np.swapaxes(camera[..., :3], -1, -2) + camera[..., None, :, 3]
    depth = seen[..., 2]
    return seen[..., :2] / np.where(np.abs(depth) < 1e-6, 1e-6, depth)[..., None], depth


def centre_of(camera: np.ndarray) -> np.ndarray:
    """Return the position of a camera, in metres.

    Args:
        camera: Camera matrix, as from :func:`look_at`.

    Shape:
        camera ``(3, 4)`` -> ``(3,)``.
    """
    return -np.linalg.solve(camera[:, :3], camera[:, 3])


def frame_points(
    rng: np.random.Generator, position: np.ndarray, points: np.ndarray, size: Size, fill: float, axis: int
) -> np.ndarray:
    """Aim and zoom a camera so that moving points fill a given share of the frame and stay in it.

    Args:
        rng: Random generator, for the position of the points in the frame.
        position: Centre of the camera in metres.
        points: Points to keep in the frame, for each point in time.
        size: Width and height of the frame.
        fill: Average share of the frame along ``axis`` that the points cover.
        axis: 0 for the width, 1 for the height.

    Shape:
        position ``(3,)``, points ``(T, N, 3)`` -> ``(3, 4)``.
    """
    middle = (points.min((0, 1)) + points.max((0, 1))) / 2
    pixels, _ = project(look_at(position, middle, 1.0, np.zeros(2)), points)
    extent = np.ptp(pixels[..., axis], axis=1).mean()
    # The highest reach of a smash may leave the frame, as it does when a person films.
    low, high = np.percentile(pixels.reshape(-1, 2), [0.5, 99.5], axis=0)
    focal_px = min(fill * size[axis] / extent, float((0.96 * np.array(size) / (high - low)).min()))
    slack = np.array(size) - focal_px * (high - low)
    offset = slack * rng.uniform(0.3, 0.7, 2) - focal_px * low
    return look_at(position, middle, focal_px, offset)


def draw_shake(
    rng: np.random.Generator, num_frames: int, fps: float, size: Size, drift: float, tremor: float
) -> np.ndarray:
    """Generate the small movements of a hand-held camera.

    Arms drift slowly and tremble fast; a tremor moves the image only slightly, but all the time.

    A small rotation of the camera moves its image as a whole. Here, shifts and a roll of the image replace
    it, so that ``shake @ camera`` is the exact matrix of every frame.

    Args:
        rng: Random generator.
        num_frames: Length *T*.
        fps: Frame rate.
        size: Width and height of the frame.
        drift: Typical slow shift, as a share of the frame height.
        tremor: Typical fast shift, at 4 to 9 Hz, as a share of the frame height.

    Shape:
        ``(T, 3, 3)``.
    """
    times_s = np.arange(num_frames)[:, None] / fps
    hertz = np.array([0.15, 0.4, 1.1, 2.7, 4.5, 6.0, 7.5]) * rng.uniform(0.8, 1.25, (3, 7))
    sizes = np.append(drift * np.array([1.0, 0.6, 0.3, 0.15]), tremor * np.full(3, np.sqrt(2 / 3)))
    weights = sizes * rng.normal(0, 1, (3, 7))
    phases = rng.uniform(0, 2 * np.pi, (3, 7))
    x, y, roll = (
        np.sin(2 * np.pi * times_s[None] * hertz[:, None] + phases[:, None]) * weights[:, None]
    ).sum(-1)
    roll = roll / 3
    turn = np.stack([np.cos(roll), -np.sin(roll), np.sin(roll), np.cos(roll)], -1).reshape(-1, 2, 2)
    middle = (np.array(size) - 1) / 2
    shake = np.tile(np.eye(3), (num_frames, 1, 1))
    shake[:, :2, :2] = turn
    shake[:, :2, 2] = middle - turn @ middle + np.stack([x, y], -1) * size[1]
    return shake


def view_of(camera: np.ndarray) -> np.ndarray:
    """Return the directions of an upright camera: to the right, down and ahead.

    Args:
        camera: Camera matrix, as from :func:`look_at`.

    Shape:
        camera ``(3, 4)`` -> ``(3, 3)``, unit vectors in rows.

    >>> camera = look_at(np.zeros(3), np.array([2.0, 0.0, 0.0]), 500.0, np.array([160.0, 120.0]))
    >>> view_of(camera).round(3).tolist()
    [[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]
    """
    ahead = camera[2, :3]
    right = np.cross(ahead, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(ahead, right), ahead])
