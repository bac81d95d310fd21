"""A trained model from its checkpoint."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from pytorch_lightning.cli import instantiate_module

from tt_actions.class_paths import trust, trust_installed
from tt_actions.recognition.analysis import MatchAnalysis
from tt_actions.recognition.checkpoint import read_checkpoint, refusal
from tt_actions.recognition.pipeline import analyze_video
from tt_actions.recognition.prediction import ClipPrediction, make_prediction
from tt_actions.training.task import StrokeRecognizer
from tt_actions.video.frames import Crop, Roi


class TrainedRecognizer(StrokeRecognizer):
    """A trained model, to name the strokes of clips and of whole matches: what :func:`load` returns."""

    def _check_learning(self, options: list[str]) -> None:
        """Nothing: it does not learn."""

    @torch.no_grad()
    def predict(
        self, path: Path | str, start_s: float = 0.0, end_s: float | None = None, roi: Roi | None = None
    ) -> ClipPrediction:
        """Name the stroke of one clip.

        Args:
            path: The video file, or of a model of joints the file of joints.
            start_s: Start of the clip in seconds.
            end_s: End of the clip in seconds, or None for the end of the file.
            roi: Region (x0, y0, x1, y1) in pixels; None for that of the preprocessing, if it has one. A
                manifest's are not in a checkpoint: a model trained on them needs the clip's own.

        Returns:
            The class, its probabilities, and those of every frame with its time.

        Raises:
            UnreadableError: If the clip can't be read.
        """
        frames, times_s = self.preprocessing.read_clip(path, start_s, end_s, roi)
        clip = torch.from_numpy(frames).movedim(-1, 1)[None].to(self.device)  # (1, T, C, H, W or V)
        logits = self(clip, torch.tensor([len(frames)], device=self.device))
        return make_prediction(self.network, self.class_names, logits, times_s)

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
            players: Names of the players, in the order of ``rois`` or from left to right; empty for one.
            rois: Regions (x0, y0, x1, y1) in pixels: of each player, or one that they share, or none.
            crop: ``motion`` follows the player in each region; None for what the model was trained with.
            on_progress: Called with the seconds of the video that are done.

        Returns:
            The strokes of all players, and the probabilities of all frames.

        Raises:
            VideoError: If the video can't be read.
            ValueError: If names and regions don't go together.
        """
        return analyze_video(self, Path(video), players, rois, crop, on_progress)


def load(path: Path | str, trust_packages: Sequence[str] = ()) -> TrainedRecognizer:
    """Load a trained model; the checkpoint alone is enough.

    Args:
        path: A checkpoint, such as ``runs/cnn_lstm/version_0/checkpoints/best.ckpt``.
        trust_packages: Packages beside ours whose networks the checkpoint may name, and so import; those that
            an installed distribution names by an entry point of the group ``tt_actions`` need not be given.

    Returns:
        The model in eval mode, on the CPU.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no checkpoint of ours, holds more than plain types, or names another class.
    """
    trust(trust_packages)
    trust_installed()
    content = read_checkpoint(path)
    trained = content["hyper_parameters"]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* is an instance of `nn.Module`")  # one is built, not stored
            # neither optimizer, schedule nor augmentation: they are for training
            model: TrainedRecognizer = instantiate_module(
                TrainedRecognizer,
                {name: trained[name] for name in ("network", "class_names", "preprocessing")},
            )
        model.on_load_checkpoint(content)
        model.load_state_dict(content["state_dict"])
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise refusal(path, error) from error
    return model.eval()
