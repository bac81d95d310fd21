"""Remarks on an analysis by frames: why strokes may be missing or wrong, and what to do."""

from collections.abc import Sequence

import numpy as np

from tt_actions.clips.strokes import Stroke, is_stroke
from tt_actions.recognition.players import NO_NAME

LEAST_MOTION = 0.5
"""Motion of a window, relative to the training clips, at which a stroke is as likely as idle time."""

MAX_MOTION = 4.0
"""Mean motion of a video, relative to the training clips, above which a remark is made."""

MIN_CONFIDENCE = 0.5
"""Median confidence of the strokes below which a remark is made."""

_STILL = 0.02  # motion, relative to the training clips, of a picture that stands still

_TRY = (
    "Check that the video shows whole strokes. If it does, mark some with `tt-actions label` and train on "
    "them."
)


class GateRecord:
    """What a model of clips saw where it looked for idle time.

    Args:
        num_tracks: Number of players *P*.

    Attributes:
        num_windows: Number of windows that were read.
        sum_motion: Sum of the motion of the windows, relative to the training clips.
        most_motion: Motion of the window with most of it.
        clearest: Highest probability of a class in a window with enough motion.

    Shape:
        sum_motion, most_motion and clearest ``(P,)``.
    """

    def __init__(self, num_tracks: int) -> None:
        self.num_windows = 0
        self.sum_motion, self.most_motion, self.clearest = (np.zeros(num_tracks) for _ in range(3))

    def add(self, motion: np.ndarray, highest: np.ndarray) -> None:
        """Record a window.

        Args:
            motion: Motion of each player, relative to the training clips.
            highest: Highest probability of a class for each player.

        Shape:
            motion and highest ``(P,)``.
        """
        self.num_windows += 1
        self.sum_motion += motion
        self.most_motion = np.maximum(self.most_motion, motion)
        self.clearest = np.maximum(self.clearest, np.where(motion >= LEAST_MOTION, highest, 0))


def remark_on_frames(
    players: Sequence[str],
    strokes: Sequence[Stroke],
    frame_classes: Sequence[str],
    probabilities: np.ndarray,
    gate: GateRecord | None,
    least_probability: float,
) -> tuple[str, ...]:
    """Return the reasons why strokes may be missing or wrong, a few sentences each.

    Args:
        players: Names of the players.
        strokes: The strokes that were found.
        frame_classes: Names of the *K* classes, with idle.
        probabilities: Probability of each class for each player and frame.
        gate: What a model of clips saw; None for a model that learnt idle time.
        least_probability: Highest probability of a class that a stroke needs for a model of clips.

    Shape:
        probabilities ``(P, T, K)``.
    """
    remarks = [] if gate is None else _remark_on_moving(players, gate)
    silent = [
        (number, player)
        for number, player in enumerate(players)
        if not any(stroke.player == player for stroke in strokes)
    ]
    for number, player in silent:
        start = f"No stroke{'' if player == NO_NAME else f' of {player}'} is found"
        if gate is None:
            scores = probabilities[number, :, [is_stroke(name) for name in frame_classes]]
            remarks.append(f"{start}: {_explain_idle(float(scores.sum(0).max(initial=0)))}")
        else:
            remarks.append(f"{start}: {_explain_gate(gate, number, least_probability)}")
    return tuple(remarks)


def _remark_on_moving(players: Sequence[str], gate: GateRecord) -> list[str]:
    means = gate.sum_motion / max(1, gate.num_windows)
    return [
        f"The picture{'' if player == NO_NAME else f' of {player}'} moves {mean:.0f} times as much as in the "
        "training clips, as with a moving camera or a picture cut in another way. The model may take any "
        "movement for a stroke. Use a camera that stands still, and a region as in training (`--roi`)."
        for player, mean in zip(players, means, strict=True)
        if mean > MAX_MOTION
    ]


def _explain_gate(gate: GateRecord, number: int, least_probability: float) -> str:
    motion, clearest = gate.most_motion[number], gate.clearest[number]
    if motion < _STILL:
        return (
            "the picture stands still. Check that the video shows play, and that the region (`--roi`) "
            "contains the player."
        )
    if motion < LEAST_MOTION:
        return (
            f"too little moves. The liveliest moment has {100 * motion:.0f} % of the motion of the training "
            f"clips, and a stroke needs {100 * LEAST_MOTION:.0f} %. Give each player a region (`--roi`) that "
            "they fill as in training."
        )
    if clearest < least_probability:
        return (
            f"no class is clear. The clearest moment reaches {100 * clearest:.0f} %, and a stroke needs "
            f"{100 * least_probability:.0f} %. The picture may be unlike that of the training. {_TRY}"
        )
    return f"what looks like strokes is too short or changes its class too often. {_TRY}"


def _explain_idle(highest: float) -> str:
    if highest >= 0.5:
        return (
            f"its clearest moment is a stroke with a probability of {100 * highest:.0f} %, but too short or "
            f"unclear. {_TRY}"
        )
    return (
        "the model takes the whole video for the time between strokes. The clearest moment is a stroke with "
        f"a probability of {100 * highest:.0f} %. The picture may be unlike that of the training: give each "
        "player a region as there (`--roi`, `--players`), or mark strokes with `tt-actions label` and train "
        "on them."
    )


def remark_on_confidence(strokes: Sequence[Stroke]) -> str | None:
    """Return a remark if a model, of frames or joints, is unsure of most strokes.

    Args:
        strokes: The strokes that were found.

    >>> remark_on_confidence([Stroke("serve", 0, 1, confidence=0.9)]) is None
    True
    >>> print(remark_on_confidence([Stroke("serve", 0, 1, confidence=0.31)]))
    The model is unsure: the median confidence of the strokes is 31 %. It may not know this kind of ...
    """
    known = [stroke.confidence for stroke in strokes if stroke.confidence is not None]
    if not known or (median := float(np.median(known))) >= MIN_CONFIDENCE:
        return None
    return (
        f"The model is unsure: the median confidence of the strokes is {100 * median:.0f} %. It may not know "
        "this kind of picture or stroke. Check some of them on the page. If they are wrong, mark strokes "
        "with `tt-actions label` and train on them."
    )
