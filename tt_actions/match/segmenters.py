"""What finds strokes in the probabilities of a trained model."""

from tt_actions.clips.strokes import IDLE
from tt_actions.clips.timing import StrokeTiming, default_timing
from tt_actions.models.crf import CRF
from tt_actions.recognition.segmenter import Segmenter
from tt_actions.training.task import StrokeRecognizer


def stroke_timing(model: StrokeRecognizer) -> StrokeTiming:
    """Return how long strokes last: as counted on the model's training set, or else as a rule of thumb.

    Args:
        model: The trained model.
    """
    names = model.class_names if model.is_untrimmed else (*model.class_names, IDLE)
    return model.timing or default_timing(names, model.preprocessing.fps)


def make_segmenters(model: StrokeRecognizer) -> dict[str, Segmenter]:
    """Return the ways of finding strokes that are compared; the last is the one that a match is analysed by.

    That is the model's own chain, where it is a conditional random field of recordings, or else a hidden
    Markov model.

    Args:
        model: The trained model.
    """
    timing = stroke_timing(model)
    ways = {"argmax": Segmenter(timing, "argmax"), "median": Segmenter(timing, "median")}
    ways["hmm"] = Segmenter(timing, "hmm")
    if isinstance(model.network, CRF) and model.is_untrimmed:  # that of clips knows no idle time
        weights = (model.network.initial, model.network.transitions)
        initial, transitions = (weight.detach().double().cpu().numpy() for weight in weights)
        ways["crf"] = Segmenter(timing, "chain", initial=initial, transitions=transitions)
    return ways


def make_segmenter(model: StrokeRecognizer) -> Segmenter:
    """Return what a match is analysed by: the last of :func:`make_segmenters`.

    Args:
        model: The trained model.
    """
    return list(make_segmenters(model).values())[-1]
