"""State chains for decoding the classes of a track."""

from dataclasses import dataclass

import numpy as np

from tt_actions.clips.timing import StrokeTiming


@dataclass(frozen=True, eq=False)
class StateChain:
    """A linear chain of states, each of which belongs to one class.

    Args:
        classes: Class index of each state.
        initial: Score of each state at the first frame; -inf if impossible.
        transitions: Score of each state (row) being followed by each state (column); -inf if impossible.
        is_entry: Whether each state is the first of a segment of its class.

    Shape:
        classes, initial and is_entry ``(S,)``, transitions ``(S, S)``.
    """

    classes: np.ndarray
    initial: np.ndarray
    transitions: np.ndarray
    is_entry: np.ndarray

    def begins(self, before: np.ndarray | int, after: np.ndarray | int) -> np.ndarray:
        """Return where segments begin: where the class changes, or where its first state occurs again.

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
        changes_class = self.classes[before] != self.classes[after]
        is_repeated_entry = self.is_entry[after] & np.not_equal(before, after)
        begins: np.ndarray = changes_class | is_repeated_entry
        return begins


def frame_chain(initial: np.ndarray, transitions: np.ndarray) -> StateChain:
    """Return the chain with one state per class, as used by a conditional random field.

    Args:
        initial: Score of each class at the first frame.
        transitions: Score of each class (row) being followed by each class (column) one frame later.

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
    """Return a chain in which each segment lasts at least the minimum duration of its class.

    A class with a minimum of *m* frames is a row of *m* states, of which only the last repeats itself.
    Durations are therefore *m* - 1 plus a geometric variable with the counted mean (Rabiner 1989, section
    IV.D, expanded states). The transitions between classes are the counted ones, plus one for every other
    class. A class follows itself only if that was counted, and such a new segment can only be recognised if
    *m* > 1. A sequence begins and ends anywhere in a segment, so its first and last segments may be shorter.

    Args:
        timing: Statistics of the training set.

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
    in_last = timing.mean_frames - timing.min_frames + 1  # mean number of frames in the last state
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
