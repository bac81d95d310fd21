"""Joints of the player in a video, found by the user's own top-down keypoint model in ONNX."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from tt_actions.errors import UserError
from tt_actions.files import write_rows
from tt_actions.recognition.onnx_recognizer import open_session
from tt_actions.skeleton.layouts import COCO17
from tt_actions.video.following import Window, cut_out, follow_player
from tt_actions.video.frames import iter_frames

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_USUAL_SIZE = (256, 192)
_BATCH = 8
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


def find_joints(pose: str, video: Path, out: Path) -> Path:
    """Find the joints of the person who moves most, in each frame of a video, and write them as CSV.

    The player is followed by motion (:mod:`tt_actions.video.following`) and cropped. The model gets RGB
    normalised by the mean and standard deviation of ImageNet, as HRNet, ViTPose and RTMPose expect.

    Args:
        pose: ``onnx:MODEL``, a model that takes images (N, 3, H, W) and returns COCO's 17 keypoints, either
            as heat maps (N, 17, h, w) or, with SimCC, as two outputs for the positions along x
            (N, 17, W * k) and y (N, 17, H * k).
        video: The video.
        out: The CSV to write: x and y in pixels and a score for each joint, one row per frame.

    Returns:
        ``out``.

    Raises:
        ValueError: If ``pose`` is no such model, or ONNX Runtime is not installed.
        VideoError: If the video can't be read.
    """
    kind, _, name = pose.partition(":")
    if kind != "onnx" or not Path(name).is_file():
        raise UserError(
            f"Expected `--pose` to be onnx:MODEL with the path of a model, but got '{pose}'. Check the path."
        )
    model = _KeypointModel(Path(name))
    rows: list[list[float]] = []
    followed = follow_player(iter_frames(video))
    while batch := list(islice(followed, _BATCH)):
        crops = np.stack([cut_out(frame, window, model.size) for _, frame, window in batch])
        for (_, _, window), points in zip(batch, model(crops), strict=True):
            rows.append(_to_picture(points, window, model.size).ravel().round(3).tolist())
    header = [f"{joint}_{part}" for joint in COCO17.joints for part in ("x", "y", "score")]
    write_rows(out, header, rows)
    return out


def _to_picture(points: np.ndarray, window: Window, size: tuple[int, int]) -> np.ndarray:
    """Map x, y and score from a crop back to the whole frame, the inverse of ``cut_out``."""
    step = 2 * window.half_height / size[0]
    corner = np.array([window.x - step * (size[1] - 1) / 2, window.y - step * (size[0] - 1) / 2])
    return np.concatenate([corner + step * points[:, :2], points[:, 2:]], 1)


class _KeypointModel:
    """A keypoint model, and how its outputs are read."""

    def __init__(self, path: Path) -> None:
        self.path, self.session = path, open_session(path)
        self.input = self.session.get_inputs()[0]
        shape = self.input.shape
        if len(shape) != 4 or shape[1] != 3 or self.input.type not in _TYPES:
            raise self._model_error(f"an input {shape} of {self.input.type}")
        self.type = _TYPES[self.input.type]
        height, width = (
            side if isinstance(side, int) else usual
            for side, usual in zip(shape[2:], _USUAL_SIZE, strict=True)
        )
        self.size = (height, width)
        self.batch = shape[0] if isinstance(shape[0], int) else None

    def __call__(self, crops: np.ndarray) -> Iterator[np.ndarray]:
        """Find x, y and score of the keypoints in crops: ``(N, H, W, 3)`` -> N times ``(17, 3)``."""
        pictures = ((crops / np.float32(255) - _MEAN) / _STD).transpose(0, 3, 1, 2).astype(self.type)
        step = self.batch or len(pictures)
        for first in range(0, len(pictures), step):
            part = pictures[first : first + step]
            num = len(part)
            if num < step:  # the model has a fixed batch size
                part = np.concatenate([part, np.repeat(part[-1:], step - num, axis=0)])
            outputs = self.session.run(None, {self.input.name: part})
            yield from self._read([output.astype(np.float32) for output in outputs])[:num]

    def _read(self, outputs: list[np.ndarray]) -> np.ndarray:
        joints, (height, width) = len(COCO17.joints), self.size
        shapes = [output.shape for output in outputs]
        if len(outputs) == 1 and len(shapes[0]) == 4 and shapes[0][1] == joints:
            return read_heat_maps(outputs[0], self.size)
        if len(outputs) == 2 and all(len(shape) == 3 and shape[1] == joints for shape in shapes):
            along_x, along_y = outputs
            if along_x.shape[2] * height == along_y.shape[2] * width:
                return read_simcc(along_x, along_y, self.size)
        raise self._model_error(f"outputs {shapes}")

    def _model_error(self, got: str) -> UserError:
        return UserError(
            f"Expected '{self.path}' to take (N, 3, H, W) in single or half precision and to return heat "
            f"maps (N, 17, h, w), or the two outputs of SimCC, (N, 17, W * k) and (N, 17, H * k), but got "
            f"{got}. Export the model without the layers after these outputs."
        )


def read_heat_maps(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Find each heat map's peak, shifted a quarter of a cell to the higher neighbour (Newell et al. 2016).

    Args:
        maps: The heat maps.
        size: Height and width of the crop.

    Returns:
        x and y in pixels of the crop, and the peak's height.

    Shape:
        maps ``(N, 17, h, w)`` -> ``(N, 17, 3)``.
    """
    num, joints, h, w = maps.shape
    flat = maps.reshape(num, joints, -1)
    best = flat.argmax(-1)
    y, x = np.divmod(best, w)
    padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    n, j = np.ogrid[:num, :joints]
    aside = np.sign(padded[n, j, y + 1, x + 2] - padded[n, j, y + 1, x])
    below = np.sign(padded[n, j, y + 2, x + 1] - padded[n, j, y, x + 1])
    place_x = (x + 0.25 * aside + 0.5) * size[1] / w - 0.5
    place_y = (y + 0.25 * below + 0.5) * size[0] / h - 0.5
    return np.stack([place_x, place_y, flat.max(-1)], -1)


def read_simcc(along_x: np.ndarray, along_y: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Find the most likely position along both axes (Li et al. 2022, "SimCC").

    Args:
        along_x: Scores of the positions along x.
        along_y: Scores of the positions along y.
        size: Height and width of the crop.

    Returns:
        x and y in pixels of the crop, and the lower of the two peaks.

    Shape:
        along_x ``(N, 17, W * k)``, along_y ``(N, 17, H * k)`` -> ``(N, 17, 3)``.
    """
    x = along_x.argmax(-1) * size[1] / along_x.shape[2]
    y = along_y.argmax(-1) * size[0] / along_y.shape[2]
    return np.stack([x, y, np.minimum(along_x.max(-1), along_y.max(-1))], -1)
