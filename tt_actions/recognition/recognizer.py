"""A trained model as an object, independent of its training."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Self, overload

import numpy as np
import torch
from torch import Tensor

from tt_actions.clips.dataset import HANDS
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing, require_frames, require_video
from tt_actions.clips.records import Hand, check_hand
from tt_actions.clips.strokes import IDLE
from tt_actions.clips.timing import StrokeTiming
from tt_actions.clips.typical import TypicalClip
from tt_actions.clips.typical_swing import TypicalSwing
from tt_actions.errors import UserError
from tt_actions.models.base import ActionModel
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.clip_input import Clip, read_clip
from tt_actions.recognition.normalisation import Normalisation
from tt_actions.recognition.pipeline import analyze_video, open_stream
from tt_actions.recognition.prediction import ClipPrediction, make_prediction
from tt_actions.recognition.progress import show_progress
from tt_actions.recognition.stream import FrameStream
from tt_actions.video.regions import Crop
from tt_actions.video.types import Roi


class Recognizer:
    """A trained model that classifies the stroke of a clip and finds the strokes in a video of any length.

    :func:`tt_actions.load` loads one from a checkpoint.

    Args:
        network: The network.
        class_names: Names of the classes, in the order of the network's outputs.
        preprocessing: How a video, or a file of joints, becomes the network's input.

    Attributes:
        normalise: Normalises frames for the network.
        timing: How long strokes last in the training set; None unless it had untrimmed recordings.
        typical_clip: Medians of the training clips; None unless the model was trained on clips of frames.
        typical_swing: Medians of the training clips; None unless the model was trained on clips of joints.
        has_regions: Whether most training clips had a region of their own; False for old checkpoints and
            exports, which don't store it.

    Raises:
        UserError: If the number of class names differs from the number of outputs of the network, or they are
            not different names.
    """

    def __init__(
        self,
        network: ActionModel,
        class_names: Sequence[str],
        preprocessing: Preprocessing | JointPreprocessing,
    ) -> None:
        if len(class_names) != network.num_classes:
            raise UserError(
                f"Expected `class_names` to name the network's {network.num_classes} classes, "
                f"but got {list(class_names)}."
            )
        if not all(isinstance(name, str) for name in class_names) or len(set(class_names)) < len(class_names):
            raise UserError(f"Expected `class_names` to be different names, but got {list(class_names)}.")
        self.network = network
        self.class_names = tuple(class_names)
        self.preprocessing = preprocessing
        self.timing: StrokeTiming | None = None
        self.typical_clip: TypicalClip | None = None
        self.typical_swing: TypicalSwing | None = None
        self.has_regions = False
        self.normalise = (
            Normalisation(preprocessing.channel_means, preprocessing.channel_stds)
            if isinstance(preprocessing, Preprocessing)
            else Normalisation()
        )

    @property
    def is_untrimmed(self) -> bool:
        """Whether the model was trained on recordings with idle time between the strokes."""
        return IDLE in self.class_names

    @property
    def frame_preprocessing(self) -> Preprocessing:
        """Preprocessing of video frames; raises an error if the model reads joints."""
        return require_frames(self.preprocessing)

    @property
    def video_preprocessing(self) -> Preprocessing:
        """Preprocessing that needs only a video; raises an error if the model reads joints or depth."""
        return require_video(self.preprocessing)

    @property
    def device(self) -> torch.device:
        """The device that holds the weights; the CPU for a network without any."""
        weights = next(chain(self.network.parameters(), self.network.buffers()), None)
        return torch.device("cpu") if weights is None else weights.device

    def to(self, device: torch.device | str) -> Self:
        """Move the weights to a device, and return the model.

        Args:
            device: The device.
        """
        self.network.to(device)
        self.normalise.to(device)
        return self

    def eval(self) -> Self:
        """Switch to prediction (no dropout, fixed statistics), and return the model."""
        self.network.eval()
        return self

    def __call__(self, inputs: Tensor, lengths: Tensor, hands: Tensor | None = None) -> Tensor:
        """Return per-frame logits of clips that are not yet normalised.

        Args:
            inputs: Raw frames, uint8 or float in [0, 1], or joints; those of given left-handers are mirrored.
            lengths: Number of valid frames of each clip.
            hands: Playing hand of each clip: 1 for right, -1 for left, 0 if unknown; None if all are.

        Shape:
            inputs ``(B, T, C, H, W)`` or ``(B, T, V, C)``, lengths and hands ``(B,)`` -> logits
            ``(B, T, K)``.
        """
        return self.network.forward_with_hands(self.normalise(inputs), lengths, hands)

    def whole_logits(self, inputs: Tensor, lengths: Tensor, hands: Tensor | None = None) -> Tensor:
        """Return per-frame logits of whole recordings; a causal network reads them in stretches.

        Args:
            inputs: The inputs of :meth:`__call__`.
            lengths: Number of valid frames of each recording.
            hands: Playing hand of each recording: see :meth:`__call__`.

        Shape:
            inputs ``(B, T, ...)``, lengths and hands ``(B,)`` -> logits ``(B, T, K)``.
        """
        return self.network.from_frame_scores(self.frame_scores(inputs, lengths, hands), lengths)

    def frame_scores(self, inputs: Tensor, lengths: Tensor, hands: Tensor | None = None) -> Tensor:
        """Return per-frame logits before any chain: for a CRF, those of the network below it.

        Args:
            inputs: The inputs of :meth:`__call__`.
            lengths: Number of valid frames of each recording.
            hands: Playing hand of each recording: see :meth:`__call__`.

        Shape:
            inputs ``(B, T, ...)``, lengths and hands ``(B,)`` -> scores ``(B, T, K)``, float32 at least.
        """
        network = self.network.frame_network
        if self.is_untrimmed and network.is_causal:
            scores = network.forward_in_stretches(inputs, lengths, self.normalise)
        else:
            scores = network.forward_with_hands(self.normalise(inputs), lengths, hands)
        return scores.to(torch.promote_types(scores.dtype, torch.float32))

    def check_crop(self, crop: Crop | None) -> None:
        """Raise an error if the caller chooses to follow the motion for a model of joints.

        Args:
            crop: How to follow the player, if the caller chooses it.

        Raises:
            UserError: If it does not suit the model.
        """
        if crop == "motion" and isinstance(self.preprocessing, JointPreprocessing):
            raise UserError(
                "Expected no `crop`, because a model of joints follows the player without it, but got "
                "'motion'. Remove it."
            )

    def check_region(self, roi: Roi | None, crop: Crop | None = None) -> None:
        """Raise an error for a video without a region if the model was trained on the players' regions.

        On whole frames, such a model is wrong three times in four. A window that follows the motion doesn't
        help by default, because it differs from the regions of the training. A model of joints could follow
        another person.

        Args:
            roi: The region; None for that of the preprocessing, if it has one.
            crop: How to follow the player, if the caller chooses it.

        Raises:
            UserError: If there is no region, and neither the caller nor the training follows the player.
        """
        preprocessing = self.preprocessing
        if not self.has_regions or roi or preprocessing.roi is not None:
            return
        if isinstance(preprocessing, JointPreprocessing) or not (crop or preprocessing.crop != "none"):
            raise UserError(
                "Expected `roi`, the player's region in pixels, because the model was trained on clips with "
                "regions, but got none. Pass it as x0,y0,x1,y1, such as `--roi 0,0,180,240`, or in the "
                "columns of a manifest."
            )

    @overload  # a str is a sequence too
    def predict(  # type: ignore[overload-overlap]
        self,
        clip: Clip,
        start_s: float = 0.0,
        end_s: float | None = None,
        roi: Roi | None = None,
        hand: Hand | None = None,
        fps: float | None = None,
    ) -> ClipPrediction: ...

    @overload
    def predict(
        self,
        clip: Sequence[Clip],
        start_s: float = 0.0,
        end_s: float | None = None,
        roi: Roi | None = None,
        hand: Hand | None = None,
        fps: float | None = None,
    ) -> list[ClipPrediction]: ...

    def predict(
        self,
        clip: Clip | Sequence[Clip],
        start_s: float = 0.0,
        end_s: float | None = None,
        roi: Roi | None = None,
        hand: Hand | None = None,
        fps: float | None = None,
    ) -> ClipPrediction | list[ClipPrediction]:
        """Classify the stroke of one clip, or of each of several clips.

        Args:
            clip: The video file; for a model that reads joints, a joint file or a video. It may also be an
                array of RGB frames, or of joints for a model that reads them, or a list of any of these,
                which shows a progress bar in a terminal or a notebook.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels; None for that of the preprocessing, if it has one.
            hand: Playing hand of the player, for a model that reads joints; None if it is unknown.
            fps: Frames per second of an array; None for a file, which says it.

        Shape:
            an array of frames ``(T, H, W, 3)``, uint8; of joints ``(T, V, C)``.

        Returns:
            The class, the probabilities of all classes, and those of each frame with its time; for a list of
            clips, a list of these.

        Raises:
            UnreadableError: If a clip can't be read.
            UserError: If the model was trained on regions, but there is none, or an array has another form.
        """
        if isinstance(clip, Sequence) and not isinstance(clip, str):
            found = []
            with show_progress("naming strokes", len(clip), "clips") as on_progress:
                for number, each in enumerate(clip, 1):
                    found.append(self.predict(each, start_s, end_s, roi, hand, fps))
                    on_progress(number)
            return found
        if hand is not None:
            check_hand(hand, "the array" if isinstance(clip, np.ndarray) else clip)
            if isinstance(self.preprocessing, Preprocessing):
                raise UserError(
                    f"Expected no `hand`, because the model reads video frames, but got {hand}. Remove it."
                )
        values, times_s, has_pixels = read_clip(self.preprocessing, clip, start_s, end_s, roi, fps)
        if has_pixels:
            self.check_region(roi)
        return self.classify(values, times_s, hand)

    @torch.no_grad()
    def classify(self, values: np.ndarray, times_s: np.ndarray, hand: Hand | None = None) -> ClipPrediction:
        """Classify the stroke of one clip that is already read.

        Args:
            values: Frames, or joints, as the preprocessing's ``read_clip`` returns them.
            times_s: Their times in seconds.
            hand: Playing hand of the player, for a model that reads joints; None if it is unknown.

        Shape:
            values ``(T, H, W, C)`` or ``(T, V, C)``, times_s ``(T,)``.
        """
        if hand == "left":
            values = self.preprocessing.spec.to_right_handed(values)
        clip = torch.from_numpy(values).movedim(-1, 1)[None].to(self.device)  # (1, T, C, H, W or V)
        lengths, hands = torch.tensor([[len(values)], [HANDS[hand]]], device=self.device)
        logits = self(clip, lengths, hands)
        return make_prediction(self.network, self.class_names, logits, times_s)

    def stream(self) -> FrameStream:
        """Start reading a video that runs: push its frames, and get the log-probabilities of each."""
        return open_stream(self)

    def analyze(
        self,
        video: Path | str,
        players: Sequence[str] = (),
        rois: Sequence[Roi] = (),
        crop: Crop | None = None,
        on_progress: Callable[[float], object] | None = None,
    ) -> MatchAnalysis:
        """Find the strokes in a video of any length: see :func:`analyze_video`.

        Args:
            video: The video file.
            players: Names of the players, in the order of ``rois`` or from left to right; empty for one
                player.
            rois: Regions (x0, y0, x1, y1) in pixels: one per player, one that the players share, or none.
            crop: ``motion`` follows the player in each region; None for the setting of the training.
            on_progress: Called with the number of seconds of the video that are processed; None for a
                progress bar in a terminal or a notebook.

        Returns:
            The strokes of all players, and the probabilities of all frames.

        Raises:
            VideoError: If the video can't be read.
            UserError: If the model was trained on regions, but no region, player or ``crop`` is given.
            ValueError: If names and regions don't match.
        """
        return analyze_video(self, Path(video), players, rois, crop, on_progress)
