"""Files of depth pictures: an array, or a folder of images."""

import re
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path

import cv2
import numpy as np

from tt_actions.errors import UnreadableError

SUFFIX = ".npz"


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
