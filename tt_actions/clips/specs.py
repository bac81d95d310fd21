"""What every kind of input has in common: a spec that says how a clip's file becomes an array over time."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Roi = tuple[int, int, int, int]
"""A region x0, y0, x1, y1 in pixels, x1 and y1 exclusive."""


class UnreadableError(ValueError):
    """A clip's file, or the part of it that is asked for, can't be used."""


class Timed(NamedTuple):
    """What a clip holds at each of its moments.

    Shape:
        values ``(T, ..., C)``; times_s ``(T,)``, float64.
    """

    values: np.ndarray
    times_s: np.ndarray


class InputSpec(ABC):
    """How a file becomes what is cached and what a network reads: a frozen dataclass of plain values.

    Attributes:
        fps: Moments a second.
    """

    fps: float

    @abstractmethod
    def read(
        self, path: Path, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> Timed:
        """Read a clip.

        Args:
            path: The file.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels, where the kind has pixels.

        Raises:
            UnreadableError: If the clip can't be read.
        """

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return what is read of a clip, of which a change would change the values: by default its file.

        Args:
            path: The clip's file.

        Raises:
            UnreadableError: If one of several can't be found.
        """
        return (path,)

    @abstractmethod
    def cache_key(self, roi: Roi | None) -> list[Any]:
        """Return what decides on the values, beside the file's content and the times, as plain values.

        Args:
            roi: The clip's own region.
        """
