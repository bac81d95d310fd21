"""Explanations of predictions from frames: which pixels of a clip support a class, and when.

For a network with feature maps, the heat comes from these (:mod:`tt_actions.evaluation.class_activation`).
For any other model, parts of the frames are hidden (:mod:`tt_actions.evaluation.occlusion`). A hidden pixel
gets the median colour of the visible part of its frame; without the flow of the pixels, it stands still; of a
silhouette, it is background. ``HistogramKernel``, which reads motion boundaries, leaves out those of the
hidden part instead, because a change of the picture would have boundaries of its own.

Nothing is in the black bars of a frame with padding, so heat is never there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from tt_actions.clips.preprocessing import as_colours
from tt_actions.clips.records import ClipRecord
from tt_actions.errors import UserError
from tt_actions.evaluation import class_activation, occlusion
from tt_actions.evaluation.explanation import Explanation, Method, evaluating
from tt_actions.evaluation.frame_places import Place, WholeFrames, read_whole_frames
from tt_actions.evaluation.pixel_figure import draw_explanation
from tt_actions.models.base import ActionModel, FeatureMaps
from tt_actions.recognition.recognizer import Recognizer

TITLES = {"grad-cam": "Grad-CAM", "hirescam": "HiResCAM", "occlusion": "occlusion"}

NUM_SHOWN = 16
"""Number of frames that the figure shows."""


@dataclass(frozen=True)
class PixelExplanation(Explanation):
    """Which pixels of a clip support a class, and when; the heat covers the network's input.

    Args:
        frames: The frames that the model read, as RGB; depth or silhouettes in shades of grey.
        whole: The whole frames of the video from which these were cut, and where they lie on them.
        layer: Name of the layer of the feature maps, or None.
        unseen: Share of the heat that was removed because it lay outside of the picture, on black bars.

    Shape:
        heat ``(T, h, w)``, float32 in [0, 1]; frames ``(T, H, W, 3)``, uint8.
    """

    frames: np.ndarray
    whole: WholeFrames
    layer: str | None
    unseen: float

    def heat_on_frame(self, index: int) -> np.ndarray:
        """Return the heat of a frame on the whole frame of the video, 0 where the model saw nothing.

        Args:
            index: Index of one of the frames in ``whole.images``.

        Shape:
            ``(H, W)`` of the video, float32 in [0, 1].
        """
        size = self.whole.images[index].shape[:2]
        return self.whole.places[index].spread(self.heat[index], (size[0], size[1]))

    def note(self, model: Recognizer) -> str:
        """Return sentences that say what the heat is and how it was computed.

        Args:
            model: The explained model.
        """
        network = type(model.network).__name__
        if not self.heat.any():
            found = f"No pixel supports {self.class_name}."
        else:
            hottest = float(self.prediction.times_s[self.heat.sum((1, 2)).argmax()])
            found = f"Heat map: the pixels that support {self.class_name}, most of all at {hottest:.2f} s."
        if self.layer is None:
            how = f"Computed by occlusion: by how much the {occlusion.SCORE} fall if a part is hidden."
        else:
            height, width = self.heat.shape[1:]
            how = (
                f"Computed by {TITLES[self.method]} at {network}.{self.layer} ({width} x {height} per frame) "
                f"for the score: {class_activation.SCORE}."
            )
        bars = ""
        if self.unseen > 0.1:
            bars = f" Another {self.unseen:.0%} of the heat lay outside of the picture and is left out."
        return f"{found} {how}{bars}"

    def draw(self, model: Recognizer) -> Figure:
        """Draw the frames with the heat over them, and the probabilities over time.

        Args:
            model: The explained model.
        """
        return draw_explanation(
            self.whole,
            self.heat,
            self.prediction.times_s,
            self.prediction.frame_probabilities,
            model.class_names,
            marked=self.class_name,
            title=self.title,
            note=self.note(model),
        )

    def facts(self) -> dict[str, Any]:
        """Return, as plain types, what is known about the method besides its name."""
        of = occlusion if self.layer is None else class_activation
        return {
            "score": of.SCORE,
            "layer": self.layer,
            "heat_size": self.heat.shape[1:],
            "normalisation": of.NORMALISATION,
            "unseen_share": round(self.unseen, 4),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numbers of the explanation by name."""
        places = self.whole.places
        boxes, regions = (np.array([place[part] for place in places]) for part in (0, 1))
        return super().arrays() | {"boxes": boxes, "regions": regions}


def explain_pixels(
    model: Recognizer, clip: ClipRecord, class_name: str | None, method: Method | None
) -> PixelExplanation:
    """Compute which pixels of a clip support a class, and when.

    Args:
        model: A trained model that reads frames.
        clip: The clip.
        class_name: The class to explain, or None for the most likely class.
        method: ``hirescam`` or ``grad-cam`` for a network with feature maps, or ``occlusion``; None for the
            first of these that fits.

    Raises:
        UserError: If the model was trained on regions, but there is none, or the method needs feature maps
            that the network lacks.
        VideoError: If the clip can't be read.
    """
    preprocessing, network = model.frame_preprocessing, model.network
    maps = network.feature_maps()
    if maps is None and method not in (None, "occlusion"):
        raise UserError(
            f"Expected `method` to be occlusion, because {type(network).__name__} has no feature maps, but "
            f"got '{method}'. Leave it out."
        )
    frames, times_s = preprocessing.read_clip(clip.path, clip.start_s, clip.end_s, clip.roi)
    model.check_region(clip.roi)
    shown = np.linspace(0, len(frames) - 1, min(len(frames), NUM_SHOWN)).round().astype(int)
    whole = read_whole_frames(preprocessing, clip, times_s, shown.tolist())
    with evaluating(network):
        prediction = model.classify(frames, times_s)
        class_name = class_name or prediction.label
        inputs = model.normalise(torch.from_numpy(frames).movedim(-1, 1)[None].to(model.device))[0]
        index = model.class_names.index(class_name)
        if maps is None or method == "occlusion":
            method, maps = "occlusion", None
            rest = _rest(inputs, whole.places)
            heat = occlusion.pixel_falls(network, inputs, rest, index).relu()
        else:
            method = "grad-cam" if method == "grad-cam" else "hirescam"
            heat = class_activation.activation_heat(network, inputs, index, maps, method)
    found, unseen = _visible(heat.float().cpu().numpy(), whole.places)
    return PixelExplanation(
        clip=clip,
        prediction=prediction,
        class_name=class_name,
        heat=found,
        method=method,
        frames=as_colours(frames),
        whole=whole,
        layer=_layer_name(network, maps),
        unseen=unseen,
    )


def _rest(inputs: Tensor, places: tuple[Place, ...]) -> Tensor:
    """Return the median of each channel over the visible part of each frame: ``(T, C)``."""
    size = inputs.shape[2], inputs.shape[3]
    seen = [torch.from_numpy(place.is_seen(size)).to(inputs.device) for place in places]
    return torch.stack([frame[:, part].median(1).values for frame, part in zip(inputs, seen, strict=True)])


def _visible(heat: np.ndarray, places: tuple[Place, ...]) -> tuple[np.ndarray, float]:
    """Return the heat on the picture, divided by its maximum, and the share of the rest."""
    size = heat.shape[1], heat.shape[2]
    visible = heat * np.stack([place.is_seen(size) for place in places])
    unseen = 1 - float(visible.sum()) / float(heat.sum()) if heat.any() else 0.0
    return visible / visible.max() if visible.any() else visible, unseen


def _layer_name(network: ActionModel, maps: FeatureMaps | None) -> str | None:
    if maps is None:
        return None
    names: dict[nn.Module, str] = {module: name for name, module in network.named_modules()}
    return names[maps.module]
