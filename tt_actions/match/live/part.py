"""The contract between a live analysis and the kinds of models: frames in, strokes out."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Literal, NamedTuple

import numpy as np

from tt_actions.clips.strokes import Stroke
from tt_actions.match.live.frames import FrameChoice, FrameGrid, LiveFrame, PoseRate
from tt_actions.recognition.analysis import PlayerMotion
from tt_actions.recognition.players import PlayerTrack
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.video.types import Roi

Now = tuple[tuple[str, float], ...]


class Found(NamedTuple):
    """What became known about a live video.

    Args:
        times_s: Times of the frames that are known now, in seconds.
        probabilities: Probability of each class for each player and frame.
        strokes: The strokes that are decided now.
        now: For each player, the current class and its probability; empty if nothing is known yet.
        motion: The joints of the players in these frames; None for a model of frames.

    Shape:
        times_s ``(m,)``, probabilities ``(P, m, K)``.
    """

    times_s: np.ndarray
    probabilities: np.ndarray
    strokes: list[Stroke]
    now: Now = ()
    motion: PlayerMotion | None = None


class LivePart(ABC):
    """Finds the strokes in a part of a video without interruptions."""

    @abstractmethod
    def push(self, frames: Sequence[LiveFrame]) -> Found:
        """Process the next frames.

        Args:
            frames: The frames.

        Raises:
            VideoError: If a region is not inside the frame.
        """

    @abstractmethod
    def finish(self) -> Found:
        """Return the remaining results at the end."""


class LiveReader(ABC):
    """How a kind of model reads a live video.

    Args:
        model: The trained model, in eval mode.
        fps: Frames per second.
        frame_classes: Names of the classes of a frame.

    Attributes:
        choice: Which frames of the source the model gets.
        unit: What is counted per second.
        delay_from: Where the delay of a stroke begins.
        batch: Maximum number of frames per call of :meth:`LivePart.push`.
        rate: Adapts the number of frames per second to the machine; None if the model needs them all.
        borrowed: What :meth:`close` returns.
    """

    choice: type[FrameChoice] = FrameGrid
    unit: Literal["frames", "poses"] = "frames"
    delay_from: Literal["the last frame of a stroke", "contact"] = "the last frame of a stroke"
    batch = 1_000_000

    def __init__(self, model: Recognizer, fps: float, frame_classes: Sequence[str]) -> None:
        self.model, self.fps, self.frame_classes = model, fps, tuple(frame_classes)
        self.rate: PoseRate | None = None
        self.borrowed = ExitStack()

    @property
    def roi(self) -> Roi | None:
        """The region of the training, if it had one."""
        return self.model.preprocessing.roi

    @abstractmethod
    def warm_up(self, num_players: int) -> float:
        """Prepare the networks, and return the seconds that a frame takes.

        Args:
            num_players: Number of players.
        """

    @abstractmethod
    def open_part(self, tracks: Sequence[PlayerTrack]) -> LivePart:
        """Begin a part of the video.

        Args:
            tracks: Regions of the players.
        """

    @abstractmethod
    def decisive_s(self, stroke: Stroke) -> float:
        """Return the time from which the delay of a stroke counts.

        Args:
            stroke: The stroke.
        """

    def close(self) -> None:
        """Return what :meth:`warm_up` borrowed."""
        self.borrowed.close()
