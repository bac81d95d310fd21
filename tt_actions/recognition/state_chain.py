"""The chains of states that a track's classes are decoded with."""

from dataclasses import dataclass

import numpy as np

from tt_actions.clips.timing import StrokeTiming


@dataclass(frozen=True, eq=False)
class StateChain:
    """States of a linear chain, each of which shows one class.

    Args:
        classes: Class index of each state.
        initial: Score of each state at the first frame, -inf where that is impossible.
        transitions: Score of each state (row) being followed by each other (column).
        is_entry: Whether a segment of its class begins with the state.

    Shape:
        classes, initial and is_entry ``(S,)``, transitions ``(S, S)``.
    """

    classes: np.ndarray
    initial: np.ndarray
    transitions: np.ndarray
    is_entry: np.ndarray

    def begins(self, before: np.ndarray | int, after: np.ndarray | int) -> np.ndarray:
        """Tell where a segment begins: with another class, or where the first state of its own comes again.

        Args:
            before: State of a frame.
            after: State of the next frame.

        Shape:
            before and after ``(...)`` -> ``(...)``, bool.

        >>> from tt_actions.clips.timing import default_timing
        >>> chain = duration_chain(default_timing(["forehand", "idle"], 10))  # 3 and 1 states
        >>> path = np.array([0, 1, 2, 2, 0, 1, 2, 3, 3])
        >>> chain.begins(path[:-1], path[1:]).astype(int)
        array([0, 0, 0, 1, 0, 0, 1, 0])
        """
        is_other = self.classes[before] != self.classes[after]
        is_again = self.is_entry[after] & np.not_equal(before, after)
        begins: np.ndarray = is_other | is_again
        return begins


def frame_chain(initial: np.ndarray, transitions: np.ndarray) -> StateChain:
    """Return the chain whose states are the classes: that of a conditional random field.

    Args:
        initial: Score of each class at the first frame.
        transitions: Score of each class (row) being followed, a frame later, by each other (column).

    Shape:
        initial ``(K,)``, transitions ``(K, K)``.
    """
    k = len(initial)
    return StateChain(
        np.arange(k),
        np.asarray(initial, np.float64),
        np.asarray(transitions, np.float64),
        np.ones(k, bool),
    )


def duration_chain(timing: StrokeTiming) -> StateChain:
    """Return a chain in which a segment of each class lasts its shortest time or longer.

    A class of at least *m* frames is a row of *m* states, the last of which repeats itself, so that durations
    are *m* - 1 plus a geometric variable (Rabiner 1989, section IV.D, of expanded states), with the counted
    mean. What follows is what was counted, plus one for every other class; a class follows itself only if
    that was counted, and is told to only where *m* > 1. A sequence begins and ends anywhere in a segment, so
    that its first and its last may be shorter.

    Args:
        timing: What was counted.

    Shape:
        ``S`` states, the sum of ``timing.min_frames``.

    >>> from tt_actions.clips.timing import default_timing
    >>> chain = duration_chain(default_timing(["forehand", "idle"], 10))
    >>> chain.classes.tolist(), np.exp(chain.transitions[2]).round(3).tolist()
    ([0, 0, 0, 1], [0.0, 0.0, 0.857, 0.143])
    """
    k = len(timing.class_names)
    counts = timing.transitions + (1 - np.eye(k))
    follows = counts / counts.sum(1, keepdims=True)
    lasts = timing.min_frames.cumsum() - 1
    entries = lasts - timing.min_frames + 1
    in_last = timing.mean_frames - timing.min_frames + 1  # frames spent in the last state, in the mean
    classes = np.repeat(np.arange(k), timing.min_frames)
    states = np.arange(len(classes))
    is_last, is_entry = np.isin(states, lasts), np.isin(states, entries)
    moves = np.diag(np.where(is_last, 0.0, 1.0)[:-1], 1)
    moves[np.ix_(lasts, entries)] = follows / in_last[:, None]
    moves[lasts, lasts] += 1 - 1 / in_last
    shown = (timing.initial + 1) / (timing.initial + 1).sum()
    initial = (shown / timing.mean_frames)[classes] * np.where(is_last, in_last[classes], 1)
    with np.errstate(divide="ignore"):
        return StateChain(classes, np.log(initial), np.log(moves), is_entry)
