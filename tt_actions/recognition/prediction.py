"""The prediction of a model for a clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from tt_actions.errors import UserError
from tt_actions.files import write_json, write_rows
from tt_actions.models.base import ActionModel
from tt_actions.recognition.result_forms import PICTURES, make_data_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class ClipPrediction:
    """The prediction of a model for one clip; a notebook shows it as a picture.

    Args:
        label: The most likely class.
        probabilities: Probability of each class.
        frame_probabilities: Probability of each class at each frame.
        times_s: When each frame is shown, in seconds from the start of the video.

    Shape:
        frame_probabilities ``(T, K)``, times_s ``(T,)``.
    """

    label: str
    probabilities: dict[str, float]
    frame_probabilities: np.ndarray
    times_s: np.ndarray

    @property
    def ranking(self) -> list[tuple[str, float]]:
        """The classes with their probabilities, the most likely first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])

    @property
    def temporal_consistency(self) -> float | None:
        """Share of adjacent frame pairs of one predicted class; None for a single frame."""
        classes = self.frame_probabilities.argmax(1)
        return float((classes[1:] == classes[:-1]).mean()) if len(classes) > 1 else None

    def __repr__(self) -> str:
        first = ", ".join(f"{name!r} {probability:.2f}" for name, probability in self.ranking[:2])
        more = ", ..." if len(self.probabilities) > 2 else ""
        num, start_s, end_s = len(self.times_s), self.times_s[0], self.times_s[-1]
        return f"ClipPrediction({first}{more}; {num} frames, {start_s:.2f} to {end_s:.2f} s)"

    def plot(self) -> "Figure":
        """Draw the probability of each class over time."""
        from tt_actions.recognition.figures import plot_prediction

        return plot_prediction(self)

    def save(self, path: Path | str) -> None:
        """Write the prediction to a file; its suffix decides what is written.

        Args:
            path: ``.json`` for everything, ``.csv`` for the probabilities of each frame, or ``.png``,
                ``.svg`` or ``.pdf`` for the figure.

        Raises:
            UserError: If the suffix is another.
            OSError: If the file can't be written.
        """
        path = Path(path)
        columns = self._columns()
        if path.suffix == ".json":
            write_json(path, {"label": self.label, "probabilities": self.probabilities, "frames": columns})
        elif path.suffix == ".csv":
            write_rows(path, list(columns), zip(*columns.values(), strict=True))
        elif path.suffix in PICTURES:
            from tt_actions.recognition.figures import write_picture

            write_picture(path, self.plot())
        else:
            known = ", ".join((".json", ".csv", *PICTURES))
            raise UserError(f"Expected `path` with one of the suffixes {known}, but got '{path}'.")

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame``: a row per frame, with its time and the probability of each class.

        Raises:
            UserError: If pandas is not installed.
        """
        return make_data_frame(self._columns())

    def _columns(self) -> dict[str, list[float]]:
        by_class = zip(self.probabilities, self.frame_probabilities.T.tolist(), strict=True)
        return {"time_s": self.times_s.tolist()} | {f"p_{name}": values for name, values in by_class}

    def _repr_png_(self) -> bytes:
        from tt_actions.recognition.figures import to_png

        return to_png(self.plot())


def make_prediction(
    network: ActionModel, class_names: Sequence[str], logits: Tensor, times_s: np.ndarray
) -> ClipPrediction:
    """Create a prediction from the logits of one clip.

    Args:
        network: The network that computed the logits.
        class_names: Names of the classes, in the order of the logits.
        logits: Logits of the clip's frames, without gradient.
        times_s: When each frame is shown, in seconds.

    Shape:
        logits ``(1, T, K)``, times_s ``(T,)``.
    """
    lengths = torch.tensor([logits.shape[1]], device=logits.device)
    probabilities = network.clip_log_probability(logits, lengths)[0].exp().tolist()
    by_class = dict(zip(class_names, probabilities, strict=True))
    return ClipPrediction(
        label=max(by_class, key=lambda name: by_class[name]),
        probabilities=by_class,
        frame_probabilities=logits[0].softmax(-1).cpu().numpy(),
        times_s=times_s,
    )
