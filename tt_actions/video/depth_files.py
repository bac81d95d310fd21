"""Depth files: an array in an ``.npz`` file, or a folder of PNG images."""

import re
import zipfile
from abc import ABC, abstractmethod
from pathlib import Path

import cv2
import numpy as np

from tt_actions.errors import UnreadableError

SUFFIX = ".npz"


def is_depth(path: Path) -> bool:
    """Return whether a clip is itself depth, and not a video with depth next to it.

    Args:
        path: The clip's file or folder.
    """
    return path.is_dir() or path.suffix.lower() == SUFFIX


def find_depth(path: Path) -> Path:
    """Return the path of a clip's depth: its own path, or a file or folder next to a video.

    Args:
        path: An ``.npz`` file, a folder of images, or a video ``a.mp4`` with ``a.npz`` or the folder
            ``a_depth`` next to it.

    Raises:
        UnreadableError: If there is no depth.
    """
    if is_depth(path):
        return path
    file, folder = path.with_suffix(SUFFIX), path.with_name(f"{path.stem}_depth")
    found = next((candidate for candidate in (file, folder) if candidate.exists()), None)
    if found is None:
        raise UnreadableError(
            f"Expected depth of '{path}' in '{file.name}' or in a folder '{folder.name}' next to it, but "
            "found neither. Add one of them, or set `picture: rgb`."
        )
    return found


class DepthImages(ABC):
    """The depth images of a clip, read one at a time.

    Attributes:
        path: The file or folder.
        fps: Images per second.
        num_frames: Number of images.
    """

    path: Path
    fps: float
    num_frames: int

    @abstractmethod
    def read(self, index: int) -> np.ndarray:
        """Return one depth image in metres.

        Args:
            index: Number of the image, from 0.

        Shape:
            ``(H, W)``, float32; 0, negative or not finite for pixels that are not measured.

        Raises:
            UnreadableError: If the image can't be read.
        """

    @property
    def duration_s(self) -> float:
        """Time in seconds from the first image to the end of the last image's display."""
        return self.num_frames / self.fps


class DepthArray(DepthImages):
    """An ``.npz`` file with ``depth`` (T, H, W), in metres, and ``fps``, as `tt-actions synth` writes it.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file can't be read, or contains something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with np.load(path, allow_pickle=False) as archive:
                self.depth, self.fps = np.asarray(archive["depth"]), float(archive["fps"])
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise UnreadableError(
                f"Expected `depth` (T, H, W) in metres and `fps` in '{path}', but it can't be read "
                f"({str(error).strip(chr(39))}). Save it again; `tt-actions synth --depth` writes such files."
            ) from error
        shape, kind = self.depth.shape, self.depth.dtype
        is_metres = len(shape) == 3 and min(shape) > 0 and np.issubdtype(kind, np.floating)
        if not (is_metres and 0 < self.fps < np.inf):
            raise UnreadableError(
                f"Expected `depth` (T, H, W), floats in metres, and a positive `fps` in '{path}', but got "
                f"{shape} of {kind} at {self.fps} frames per second. Save it again in this format."
            )
        self.num_frames = len(self.depth)

    def read(self, index: int) -> np.ndarray:
        """Return one depth image in metres.

        Args:
            index: Number of the image, from 0.

        Shape:
            ``(H, W)``, float32; 0, negative or not finite for pixels that are not measured.
        """
        return np.asarray(self.depth[index], np.float32)


class DepthFolder(DepthImages):
    """A folder of 16-bit grey PNG files in millimetres, sorted by the last number in their names.

    Args:
        path: The folder.
        fps: Images per second, which the files don't give.

    Raises:
        UnreadableError: If the folder has no PNG files, or a file's name has no number.
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
                f"{'a file without a number' if numbered else 'none'}. Name them like 0001.png."
            )
        self.files = sorted(numbered, key=lambda file: int(numbered[file][-1]))
        self.num_frames = len(self.files)
        self.shape: tuple[int, ...] | None = None

    def read(self, index: int) -> np.ndarray:
        """Return one depth image in metres.

        Args:
            index: Number of the image, from 0.

        Shape:
            ``(H, W)``, float32; 0 for pixels that are not measured.

        Raises:
            UnreadableError: If the file is not a 16-bit grey image, or the sizes of the images differ.
        """
        file = self.files[index]
        image = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype != np.uint16 or image.ndim != 2:
            got = "it can't be decoded" if image is None else f"got {image.dtype} of {image.shape}"
            raise UnreadableError(
                f"Expected a 16-bit grey PNG in millimetres in '{file}', but {got}. Export it unscaled."
            )
        self.shape = self.shape or image.shape
        if image.shape != self.shape:
            raise UnreadableError(
                f"Expected all images in '{self.path}' to have one size, but '{file.name}' has {image.shape} "
                f"after {self.shape}. Export all of them in one size."
            )
        return np.asarray(image, np.float32) / 1000


def open_depth(path: Path, fps: float) -> DepthImages:
    """Open the depth of a clip.

    Args:
        path: The file or the folder: see :func:`find_depth`.
        fps: Images per second, used for a folder.

    Raises:
        UnreadableError: If the depth can't be read.
    """
    return DepthFolder(path, fps) if path.is_dir() else DepthArray(path)
