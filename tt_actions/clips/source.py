"""Base class of all sources of clips."""

from abc import ABC, abstractmethod
from typing import ClassVar

from tt_actions.clips.records import ClipRecord


class ClipSource(ABC):
    """A source of clips, which are files on disk that it finds or generates.

    Attributes:
        is_untrimmed: Whether its records are recordings of many strokes instead of clips of one stroke.
    """

    is_untrimmed: ClassVar[bool] = False

    def prepare(self) -> None:  # noqa: B027 - most sources have nothing to prepare
        """Generate or download missing files; called in one process per machine.

        The default does nothing, because the files exist already.
        """

    @abstractmethod
    def records(self) -> list[ClipRecord]:
        """List the clips, always in the same order.

        Raises:
            FileNotFoundError: If the folder or file of the source does not exist.
            ValueError: If the source contains no clips.
        """
