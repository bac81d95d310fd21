"""What every source of clips gives."""

from abc import ABC, abstractmethod
from typing import ClassVar

from tt_actions.clips.records import ClipRecord


class ClipSource(ABC):
    """Where clips come from: files on disk, found or made.

    Attributes:
        is_untrimmed: Whether it gives recordings of many strokes instead of clips of one.
    """

    is_untrimmed: ClassVar[bool] = False

    def prepare(self) -> None:  # noqa: B027 - most sources have nothing to make
        """Make or fetch the files where they are absent; called in one process a machine.

        The default does nothing: the files are there.
        """

    @abstractmethod
    def records(self) -> list[ClipRecord]:
        """List the clips, always in the same order.

        Raises:
            FileNotFoundError: If what the source points to is not there.
            ValueError: If it holds no clips.
        """
