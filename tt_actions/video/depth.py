"""Depth pictures: metres in a file, levels of one 8-bit channel in a frame."""

import re
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tt_actions.errors import UnreadableError
from tt_actions.video.info import VideoInfo
from tt_actions.video.scaling import Aspect, fill_up, fit_size
from tt_actions.video.types import Roi, Timed

SUFFIX = ".npz"

NOT_MEASURED = 0
"""The level of a pixel of which nothing is known: in a shadow of the sensor's light, or on glass."""

MEAN, STD = 0.5, 0.25
"""What to take away from the channel, in [0, 1], and to divide it by then."""

_SAME_TIME_S = 1e-3  # as of video


def is_depth(path: Path) -> bool:
    """Tell whether a clip is depth itself, and no video that depth may stand beside.

    Args:
        path: The clip's file or folder.
    """
    return path.is_dir() or path.suffix.lower() == SUFFIX


def find_depth(path: Path) -> Path:
    """Return where a clip's depth is: at its own path, or beside a video, of the same stem.

    Args:
        path: An ``.npz`` file, a folder of pictures, or a video ``a.mp4`` with ``a.npz`` or the folder
            ``a_depth`` beside it.

    Raises:
        UnreadableError: If there is none.
    """
    if is_depth(path):
        return path
    file, folder = path.with_suffix(SUFFIX), path.with_name(f"{path.stem}_depth")
    found = next((place for place in (file, folder) if place.exists()), None)
    if found is None:
        raise UnreadableError(
            f"Expected depth of '{path}' in '{file.name}' or in a folder '{folder.name}' beside it, but "
            "there is neither. Put it there, or set `picture: rgb`."
        )
    return found


class DepthPictures(ABC):
    """The depth of a clip, picture by picture.

    Attributes:
        path: Where it is.
        fps: Pictures a second.
        num_frames: Number of pictures.
    """

    path: Path
    fps: float
    num_frames: int

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """Return one picture in metres.

        Args:
            index: Its number.

        Shape:
            ``(H, W)``, float32; 0, negative or not finite where nothing is measured.

        Raises:
            UnreadableError: If it can't be read.
        """

    @property
    def duration_s(self) -> float:
        """From the first moment to the end of the last picture's display."""
        return self.num_frames / self.fps


class DepthArray(DepthPictures):
    """An ``.npz`` with ``depth`` (T, H, W), floats in metres, and ``fps``: what `tt-actions synth` writes.

    Args:
        path: The file.

    Raises:
        UnreadableError: If it can't be read or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with np.load(path, allow_pickle=False) as archive:
                self.depth, self.fps = np.asarray(archive["depth"]), float(archive["fps"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise UnreadableError(
                f"Expected `depth` (T, H, W) in metres and `fps` in '{path}', but it can't be read "
                f"({str(error).strip(chr(39))}). Write it anew: `tt-actions synth --depth` makes such files."
            ) from error
        shape, kind = self.depth.shape, self.depth.dtype
        is_metres = len(shape) == 3 and min(shape) > 0 and np.issubdtype(kind, np.floating)
        if not (is_metres and 0 < self.fps < np.inf):
            raise UnreadableError(
                f"Expected `depth` (T, H, W), floats in metres, and a positive `fps` in '{path}', but got "
                f"{shape} of {kind} at {self.fps} frames a second. Write it anew."
            )
        self.num_frames = len(self.depth)

    def read(self, index: int) -> np.ndarray:
        """Return one picture in metres.

        Args:
            index: Its number.

        Shape:
            ``(H, W)``, float32; 0, negative or not finite where nothing is measured.
        """
        return np.asarray(self.depth[index], np.float32)


class DepthFolder(DepthPictures):
    """A folder of 16-bit grey PNG files in millimetres, in the order of the last number in their names.

    Args:
        path: The folder.
        fps: Pictures a second, which the files don't tell.

    Raises:
        UnreadableError: If there is none, or one has no number.
    """

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        numbered = {
            file: re.findall(r"\d+", file.stem)
            for file in path.iterdir()
            if file.suffix.lower() == ".png" and not file.name.startswith(".")
        }
        if not numbered or not all(numbered.values()):
            raise UnreadableError(
                f"Expected numbered 16-bit PNG files in '{path}', but got "
                f"{'one without number' if numbered else 'none'}. Name them such as 0001.png."
            )
        self.files = sorted(numbered, key=lambda file: int(numbered[file][-1]))
        self.num_frames = len(self.files)
        self.shape: tuple[int, ...] | None = None

    def read(self, index: int) -> np.ndarray:
        """Return one picture in metres.

        Args:
            index: Its number.

        Shape:
            ``(H, W)``, float32; 0 where nothing is measured.

        Raises:
            UnreadableError: If the file is no such picture, or of another size than the one read before.
        """
        file = self.files[index]
        picture = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.dtype != np.uint16 or picture.ndim != 2:
            got = "it doesn't decode" if picture is None else f"got {picture.dtype} of {picture.shape}"
            raise UnreadableError(
                f"Expected a 16-bit grey PNG in millimetres in '{file}', but {got}. Export it unscaled."
            )
        self.shape = self.shape or picture.shape
        if picture.shape != self.shape:
            raise UnreadableError(
                f"Expected one size of picture in '{self.path}', but '{file.name}' has {picture.shape} after "
                f"{self.shape}. Export them alike."
            )
        return np.asarray(picture, np.float32) / 1000


def open_depth(path: Path, fps: float) -> DepthPictures:
    """Open the depth of a clip.

    Args:
        path: The file or the folder: see :func:`find_depth`.
        fps: Pictures a second of a folder.

    Raises:
        UnreadableError: If it can't be read.
    """
    return DepthFolder(path, fps) if path.is_dir() else DepthArray(path)


def probe_depth(path: Path) -> VideoInfo:
    """Tell what a file or folder of depth holds.

    Args:
        path: The file, or a folder, whose rate is not known: 30 pictures a second are assumed, and said.

    Raises:
        UnreadableError: If it can't be read.
    """
    pictures = open_depth(path, 30.0)
    height, width = pictures.read(0).shape
    kind = "depth (PNG, as at 30 fps)" if path.is_dir() else "depth"
    return VideoInfo(path, pictures.duration_s, pictures.fps, width, height, kind, pictures.num_frames)


def check_beside(video: VideoInfo, pictures: DepthPictures) -> None:
    """Refuse depth that is not that of a video.

    Args:
        video: What the video holds.
        pictures: The depth.

    Raises:
        UnreadableError: If their lengths differ by more than a frame, or their pictures in size.
    """
    height, width = pictures.read(0).shape
    if abs(video.duration_s - pictures.duration_s) > 1.5 / min(video.fps, pictures.fps):
        raise UnreadableError(
            f"Expected depth as long as '{video.path}', {video.duration_s:.3f} s, but '{pictures.path}' has "
            f"{pictures.num_frames} pictures, {pictures.duration_s:.3f} s. Give the whole of both."
        )
    if (video.height, video.width) != (height, width):
        raise UnreadableError(
            f"Expected depth of the {video.width}x{video.height} pixels of '{video.path}', but "
            f"'{pictures.path}' has {width}x{height}. Register the depth to the picture."
        )


def read_depth(
    pictures: DepthPictures,
    fps: float,
    size: tuple[int, int],
    aspect: Aspect,
    range_m: tuple[float, float],
    start_s: float = 0.0,
    end_s: float | None = None,
    roi: Roi | None = None,
) -> Timed:
    """Read frames of depth as :func:`tt_actions.video.frames.read_frames` does those of colour.

    Args:
        pictures: The clip's depth.
        fps: Frames a second to sample at.
        size: Height and width to scale to; beyond the picture nothing is measured.
        aspect: ``pad`` keeps the aspect, ``stretch`` does not.
        range_m: The nearest and the farthest that levels tell apart: see :func:`quantise`.
        start_s: Start in seconds.
        end_s: End in seconds (exclusive), or None for the end of the last picture's display.
        roi: Region (x0, y0, x1, y1) in pixels to cut out before scaling.

    Returns:
        Frames ``(T, H, W, 1)``, uint8, and their times.

    Raises:
        UnreadableError: If a picture can't be read, the times or the region are outside, or nothing that is
            measured lies within the range.
    """
    path, length_s = pictures.path, pictures.duration_s
    last_s = length_s if end_s is None else end_s
    if not 0 <= start_s < min(last_s, length_s) or last_s > length_s + 1 / pictures.fps:
        raise UnreadableError(
            f"Expected times within the {length_s:.3f} s of '{path}', but got {start_s:g} s to "
            f"{'the end' if end_s is None else f'{end_s:g} s'}. Correct `start_s` and `end_s`."
        )
    until_s = min(length_s - _SAME_TIME_S, last_s)
    times_s = start_s + np.arange(max(1, int(np.ceil((until_s - start_s) * fps - 1e-9)))) / fps
    shown = ((times_s + _SAME_TIME_S) * pictures.fps).astype(int).clip(max=pictures.num_frames - 1)
    levels = {}
    for index in dict.fromkeys(shown.tolist()):
        metres = _cut(pictures.read(index), roi, path)
        levels[index] = quantise(scale_depth(metres, size, aspect), range_m)
    frames = np.stack([levels[index] for index in shown.tolist()])[..., None]
    if not ((frames > 1) & (frames < 255)).any():
        raise UnreadableError(
            f"Expected depth within {range_m[0]:g} m to {range_m[1]:g} m in '{path}', but nothing is. "
            "Is it in metres (of PNG files: millimetres)? Else correct `depth_range_m`."
        )
    return Timed(frames, times_s)


def _cut(metres: np.ndarray, roi: Roi | None, path: Path) -> np.ndarray:
    """Cut a region out, 0 where nothing is measured."""
    height, width = metres.shape
    x0, y0, x1, y1 = roi or (0, 0, width, height)
    if x1 > width or y1 > height:
        raise UnreadableError(
            f"Expected `roi` to lie within the {width}x{height} pixels of '{path}', but got {roi}. "
            "Correct the region."
        )
    part = metres[y0:y1, x0:x1]
    return np.where(np.isfinite(part) & (part > 0), part, np.float32(0))


def scale_depth(metres: np.ndarray, size: tuple[int, int], aspect: Aspect) -> np.ndarray:
    """Scale a picture of depth without mixing what is not measured in.

    A pixel of a smaller picture is the mean of what is measured in its area, if that is half of it or more;
    one of a larger picture is the nearest.

    Args:
        metres: Depth, 0 where nothing is measured.
        size: Height and width of the result; what is filled up is 0.
        aspect: ``pad`` keeps the aspect, ``stretch`` does not.

    Shape:
        metres ``(H, W)`` -> ``size``, float32.

    >>> scale_depth(np.float32([[2, 2, 3, 0], [2, 2, 5, 0]]), (1, 2), "stretch").tolist()
    [[2.0, 4.0]]
    >>> scale_depth(np.float32([[2, 2, 3, 0], [2, 2, 0, 0]]), (1, 2), "stretch").tolist()
    [[2.0, 0.0]]
    """
    height, width = fit_size(metres.shape, size, aspect)
    if height > metres.shape[0] or width > metres.shape[1]:
        return fill_up(cv2.resize(metres, (width, height), interpolation=cv2.INTER_NEAREST), size)
    is_measured = (metres > 0).astype(np.float32)
    total, share = (
        cv2.resize(x, (width, height), interpolation=cv2.INTER_AREA) for x in (metres, is_measured)
    )
    return fill_up(np.where(share > 0.499, total / np.maximum(share, 0.499), np.float32(0)), size)


def quantise(metres: np.ndarray, range_m: Sequence[float]) -> np.ndarray:
    """Give depth as one of 255 levels, and 0 where nothing is measured.

    Over the default 0.5 m to 8 m a level is 3 cm, about what a depth camera errs by itself there: the first
    Kinect's random error is 4 cm at 5 m (Khoshelham & Elberink 2012, Sensors 12(2)).

    Args:
        metres: Depth; 0 where nothing is measured.
        range_m: What level 1 and level 255 stand for; what is nearer or farther gets these.

    Shape:
        metres ``(H, W)`` -> ``(H, W)``, uint8.

    >>> quantise(np.array([0, 0.2, 0.5, 0.53, 8.0, 12.0]), (0.5, 8.0)).tolist()
    [0, 1, 1, 2, 255, 255]
    """
    near, far = range_m
    levels = (1 + (metres - near) * (254 / (far - near))).round().clip(1, 255)
    return np.where(metres > 0, levels, NOT_MEASURED).astype(np.uint8)
