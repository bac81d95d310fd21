"""Recognise technical actions in racket sports from video.

>>> import tt_actions
>>> model = tt_actions.load("runs/cnn_lstm/version_0/checkpoints/best.ckpt")  # doctest: +SKIP
>>> model.predict("clip.mp4").label  # doctest: +SKIP
'forehand'
>>> model.analyze("match.mp4", players=["left", "right"]).strokes[0]  # doctest: +SKIP
Stroke(label='serve', start_s=2.1, end_s=3.4, contact_s=3.0, confidence=0.97, player='left')
>>> heat = tt_actions.explain(model, "clip.mp4", class_name="serve").heat  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tt_actions.evaluation.explanation import explain as explain
    from tt_actions.recognition.loading import load as load

__all__ = ["explain", "load"]

_MODULES = {"explain": "evaluation.explanation", "load": "recognition.loading"}


def __getattr__(name: str) -> Any:
    """Import what needs PyTorch when it is asked for: processes that only decode or draw start in no time."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"tt_actions.{_MODULES[name]}"), name)
