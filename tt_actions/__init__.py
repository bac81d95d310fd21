"""Recognise technical actions in racket sports from video.

>>> import tt_actions
>>> model = tt_actions.load("runs/cnn_lstm/version_0/checkpoints/best.ckpt")  # doctest: +SKIP
>>> model.predict("clip.mp4").label  # doctest: +SKIP
'forehand'
>>> tt_actions.analyze(model, "match.mp4", players=["left", "right"]).strokes[0]  # doctest: +SKIP
Stroke(label='serve', start_s=2.1, end_s=3.4, contact_s=3.0, confidence=0.97, player='left')
>>> heat = tt_actions.explain(model, "clip.mp4", class_name="serve").heat  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tt_actions.clips.strokes import Stroke as Stroke
    from tt_actions.errors import UnreadableError as UnreadableError
    from tt_actions.errors import UserError as UserError
    from tt_actions.errors import VideoError as VideoError
    from tt_actions.evaluation.explain import explain as explain
    from tt_actions.recognition.analysis import MatchAnalysis as MatchAnalysis
    from tt_actions.recognition.loading import load as load
    from tt_actions.recognition.pipeline import analyze_video as analyze
    from tt_actions.recognition.prediction import ClipPrediction as ClipPrediction
    from tt_actions.recognition.recognizer import Recognizer as Recognizer

__all__ = [
    "ClipPrediction",
    "MatchAnalysis",
    "Recognizer",
    "Stroke",
    "UnreadableError",
    "UserError",
    "VideoError",
    "analyze",
    "explain",
    "load",
]

_LOCATIONS = {
    "ClipPrediction": "recognition.prediction",
    "MatchAnalysis": "recognition.analysis",
    "Recognizer": "recognition.recognizer",
    "Stroke": "clips.strokes",
    "UnreadableError": "errors",
    "UserError": "errors",
    "VideoError": "errors",
    "analyze": "recognition.pipeline:analyze_video",
    "explain": "evaluation.explain",
    "load": "recognition.loading",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that processes that only decode or draw start without PyTorch."""
    if name not in _LOCATIONS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, other = _LOCATIONS[name].partition(":")
    return getattr(import_module(f"tt_actions.{module}"), other or name)


def __dir__() -> list[str]:
    return list(__all__)
