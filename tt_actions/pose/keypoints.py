"""A user's own keypoint model in ONNX, such as RTMPose, ViTPose or HRNet: COCO's keypoints in a crop."""

from pathlib import Path

import numpy as np

from tt_actions.errors import UserError
from tt_actions.onnx_session import open_session
from tt_actions.skeleton.layouts import COCO17
from tt_actions.video.types import Image

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_USUAL_SIZE = (256, 192)
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16}


class KeypointModel:
    """A model that takes images (N, 3, H, W) and returns the 17 keypoints of COCO.

    It gets RGB normalised by the mean and standard deviation of ImageNet, as HRNet, ViTPose and RTMPose
    expect. It returns heat maps (N, 17, h, w) or, with SimCC, two outputs for the positions along x
    (N, 17, W * k) and y (N, 17, H * k).

    Args:
        path: The file.
        num_threads: Number of threads.

    Attributes:
        size: Height and width of the crops.

    Raises:
        UserError: If ONNX Runtime is not installed, or can't run the file, or it is another model.
    """

    def __init__(self, path: Path, num_threads: int = 1) -> None:
        self._path, self._session = path, open_session(path, num_threads)
        given, *others = self._session.get_inputs()
        shape = given.shape
        if others or len(shape) != 4 or shape[1] != 3 or given.type not in _TYPES:
            raise self._other_model_error(f"an input {shape} of {given.type}")
        self._name, self._type = given.name, _TYPES[given.type]
        self._batch = shape[0] if isinstance(shape[0], int) else 1
        height, width = (
            side if isinstance(side, int) else usual
            for side, usual in zip(shape[2:], _USUAL_SIZE, strict=True)
        )
        self.size = (height, width)
        try:
            self(np.zeros((height, width, 3), np.uint8))  # refuses other outputs before any video is read
        except UserError:
            raise
        except Exception as error:  # the error classes of ONNX Runtime have no base class of their own
            raise self._other_model_error(str(error).splitlines()[0].rstrip(".")) from error

    def __call__(self, crop: Image) -> np.ndarray:
        """Find x and y in pixels of a crop, and the score, of each keypoint.

        Args:
            crop: An RGB image of the model's size.

        Shape:
            crop ``(H, W, 3)``, uint8 -> ``(17, 3)``.
        """
        picture = ((crop / np.float32(255) - _MEAN) / _STD).transpose(2, 0, 1).astype(self._type)
        pictures = np.repeat(picture[None], self._batch, axis=0)  # exported with a fixed batch size
        outputs = self._session.run(None, {self._name: pictures})
        return np.asarray(self._read([output[:1].astype(np.float32) for output in outputs])[0])

    def _read(self, outputs: list[np.ndarray]) -> np.ndarray:
        joints, (height, width) = len(COCO17.joints), self.size
        shapes = [output.shape for output in outputs]
        if len(outputs) == 1 and len(shapes[0]) == 4 and shapes[0][1] == joints:
            return read_heat_maps(outputs[0], self.size)
        if len(outputs) == 2 and all(len(shape) == 3 and shape[1] == joints for shape in shapes):
            along_x, along_y = outputs
            if along_x.shape[2] * height == along_y.shape[2] * width:
                return read_simcc(along_x, along_y, self.size)
        raise self._other_model_error(f"outputs {shapes}")

    def _other_model_error(self, got: str) -> UserError:
        return UserError(
            f"Expected '{self._path}' to take (N, 3, H, W) in single or half precision and to return heat "
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
