"""Explanations of predictions from joints: which limb supports a class, and when, by occlusion.

Occlusion (Zeiler & Fergus 2014, arXiv:1311.2901) hides a part of the input and measures how much less likely
the class becomes. It needs no gradient and no feature map, so it works with every model of joints, also with
those that are fitted in closed form. Here a part is a limb for a short time: its joints move to their median
positions over the clip; their mean positions would keep a trace of the movement. They move there smoothly,
because a jump would be a movement of its own. The score is the log-odds of the class, as for pixels. Unlike
its probability, they still change where the model is certain.

What this can't show:

- It hides the movement of a limb, but not its usual position. A model that identifies a stroke by a posture
  that the player keeps for the whole clip loses nothing.
- If either of two limbs, or of two times, is enough for the model, hiding one of them changes little.
- A hidden limb can give a body that no training clip shows, so a fall may be surprise rather than evidence.
- Windows are about a twelfth of the clip long, and limbs are hidden one at a time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from tt_actions.clips.dataset import HANDS
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.evaluation.explanation import Explanation, evaluating
from tt_actions.evaluation.joint_figure import draw_explanation
from tt_actions.evaluation.player_pictures import PlayerPictures, cut_out_player
from tt_actions.pose.video import POINTS, pose_rate
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import BLAZEPOSE33_2D, convert, find_layout
from tt_actions.skeleton.limbs import find_limbs

SCORE = "log-odds of the class"
REST = "median position of each joint over the clip"
NORMALISATION = "positive falls of the score, divided by the maximum of the clip"

MAX_WINDOWS = 12
"""Number of windows of time in which limbs are hidden; of a clip with fewer frames, one per frame."""

NUM_KEY_FRAMES = 8
"""Number of moments that the figure shows."""

_BATCH = 32


@dataclass(frozen=True)
class JointExplanation(Explanation):
    """Which limbs support a class, and when.

    Args:
        limbs: Names of the limbs.
        falls: How much the log-odds of the class fall at most when a limb is hidden around a frame; negative
            if they rise.
        hidden_probabilities: Probability of the class if a limb is hidden during the whole clip.
        joints: The joints that the model read, of a left-hander as they were recorded.
        layout: Name of their layout.
        key_frames: Indices of the frames to show, in order.
        pictures: The player in the key frames of a video; None for a joint file.

    Shape:
        heat and falls ``(T, L)``, float32, hidden_probabilities ``(L,)``, joints ``(T, V, C)``, key_frames
        ``(N,)``.
    """

    limbs: tuple[str, ...]
    falls: np.ndarray
    hidden_probabilities: np.ndarray
    joints: np.ndarray
    layout: str
    key_frames: np.ndarray
    pictures: PlayerPictures | None

    def note(self, model: Recognizer) -> str:  # noqa: ARG002 - other explanations name it
        """Return sentences that say what the heat is and how it was computed.

        Args:
            model: The explained model.
        """
        if not self.heat.any():
            return (
                f"Nothing supports {self.class_name}: hiding any limb for a short time does not make it less "
                f"likely. {_MEANING}"
            )
        frame, limb = np.unravel_index(self.heat.argmax(), self.heat.shape)
        hidden, now = self.hidden_probabilities[limb], self.prediction.probabilities[self.class_name]
        name, time_s = self.limbs[limb], self.prediction.times_s[frame]
        return (
            f"The {name} at {time_s:.2f} s supports {self.class_name} most. With the {name} hidden during "
            f"the whole clip, the probability is {hidden:.2f} instead of {now:.2f}. {_MEANING}"
        )

    def draw(self, model: Recognizer) -> Figure:
        """Draw the key frames with coloured limbs, and the heat map of limbs and time.

        Args:
            model: The explained model.
        """
        return draw_explanation(
            joints=self.joints,
            layout=find_layout(self.layout),
            times_s=self.prediction.times_s,
            falls=self.falls,
            limbs=find_limbs(find_layout(self.layout)),
            hidden_probabilities=self.hidden_probabilities,
            probability=self.prediction.probabilities[self.class_name],
            class_name=self.class_name,
            key_frames=self.key_frames,
            pictures=self.pictures,
            title=self.title,
            note=self.note(model),
        )

    def facts(self) -> dict[str, Any]:
        """Return, as plain types, what is known about the method besides its name."""
        return {
            "score": SCORE,
            "rest": REST,
            "normalisation": NORMALISATION,
            "limbs": self.limbs,
            "hidden_probabilities": dict(zip(self.limbs, self.hidden_probabilities.tolist(), strict=True)),
            "largest_fall": float(self.falls.max()),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numbers of the explanation by name."""
        return super().arrays() | {
            "falls": self.falls,
            "limbs": np.array(self.limbs),
            "hidden_probabilities": self.hidden_probabilities,
            "joints": self.joints,
        }


_MEANING = (
    "Orange limbs support the class, blue ones speak against it. A limb is hidden by moving its joints to "
    "their median positions over the clip. This shows neither the effect of a posture that lasts for the "
    "whole clip, nor that of two limbs of which either is enough."
)


class _Clip(NamedTuple):
    """The joints that a model reads, their times, and where they are in the video's pictures."""

    joints: np.ndarray
    times_s: np.ndarray
    points: np.ndarray | None  # (S, V, 2), in the pictures from the start of the clip
    rate: float


def explain_joints(model: Recognizer, clip: ClipRecord, class_name: str | None) -> JointExplanation:
    """Compute which limbs support a class, and when.

    Args:
        model: A trained model that reads joints.
        clip: The clip: a joint file, or a video; with the playing hand if the model is to know it.
        class_name: The class to explain, or None for the most likely class.

    Raises:
        UserError: If the model was trained on regions, but there is none.
        UnreadableError: If the clip can't be read.
    """
    preprocessing = model.preprocessing
    assert isinstance(preprocessing, JointPreprocessing)
    read = _read(preprocessing, clip)
    if read.points is not None:
        model.check_region(clip.roi)
    with evaluating(model.network):
        prediction = model.classify(read.joints, read.times_s, clip.hand)
        class_name = class_name or prediction.label
        limbs = find_limbs(find_layout(preprocessing.layout))
        index = model.class_names.index(class_name)
        falls, hidden = measure_falls(model, read.joints, limbs, index, clip)
    heat = falls.clip(min=0)
    peak = int(heat.max(1).argmax())
    key_frames = choose_key_frames(len(heat), peak)
    pictures = None
    if read.points is not None:
        at = ((read.times_s[key_frames] - clip.start_s) * read.rate).round().astype(int)
        at = at.clip(0, len(read.points) - 1)
        pictures = cut_out_player(clip, read.rate, at, read.points[at])
    return JointExplanation(
        clip=clip,
        prediction=prediction,
        class_name=class_name,
        heat=heat / heat.max() if heat.any() else heat,
        method="occlusion",
        limbs=tuple(limbs),
        falls=falls,
        hidden_probabilities=hidden,
        joints=read.joints,
        layout=preprocessing.layout,
        key_frames=key_frames,
        pictures=pictures,
    )


def _read(preprocessing: JointPreprocessing, clip: ClipRecord) -> _Clip:
    source = preprocessing.source(clip.path)
    if source is None:
        read = preprocessing.read_clip(clip.path, clip.start_s, clip.end_s, clip.roi)
        return _Clip(*read, None, preprocessing.fps)
    landmarks = source.read(clip.path, clip.start_s, clip.end_s, clip.roi).values
    read = preprocessing.choose(preprocessing.finish(landmarks, clip.path, clip.start_s))
    points = convert(landmarks[..., POINTS], BLAZEPOSE33_2D, find_layout(preprocessing.layout))
    return _Clip(*read, points, pose_rate(clip.path, preprocessing.fps))


def measure_falls(
    model: Recognizer, joints: np.ndarray, limbs: Mapping[str, tuple[int, ...]], index: int, clip: ClipRecord
) -> tuple[np.ndarray, np.ndarray]:
    """Return by how much the log-odds of a class fall when a limb is hidden.

    Args:
        model: The model, in eval mode.
        joints: The joints of the clip.
        limbs: The joints of each limb.
        index: Index of the class.
        clip: The clip, with the playing hand.

    Returns:
        The fall around each frame, interpolated between the windows; and the probability of the class if a
        limb is hidden during the whole clip.

    Shape:
        joints ``(T, V, C)`` -> ``(T, L)``, ``(L,)``, float32.
    """
    windows = time_windows(len(joints))
    masks = [np.zeros(joints.shape[:2])]
    for chosen in limbs.values():
        spans = (*windows, np.ones(len(joints)))
        masks += [limb_mask(span, chosen, joints.shape[1]) for span in spans]
    log_probs = score_hidden(model, joints, np.stack(masks), clip)
    others = torch.arange(log_probs.shape[1]) != index
    odds = (log_probs[:, index] - log_probs[:, others].logsumexp(1)).numpy()
    falls = (odds[0] - odds[1:]).reshape(len(limbs), len(windows) + 1)[:, :-1]
    hidden = log_probs[1:, index].exp().numpy().reshape(len(limbs), -1)[:, -1]
    return (windows.T @ falls.T).astype(np.float32), hidden.astype(np.float32)


def time_windows(num_frames: int) -> np.ndarray:
    """Return evenly spaced windows of time that overlap smoothly and sum to 1 at every frame.

    Args:
        num_frames: Number of frames *T*.

    Shape:
        ``(W, T)``, from 0 to 1.

    >>> time_windows(3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    num = min(num_frames, MAX_WINDOWS)
    centres = np.linspace(0, num_frames - 1, num)
    hop = (num_frames - 1) / (num - 1) if num > 1 else 1.0
    distance = np.abs(np.arange(num_frames) - centres[:, None]) / hop
    return np.asarray(np.cos(np.pi / 2 * distance.clip(max=1)) ** 2).round(9)


def limb_mask(window: np.ndarray, joints: tuple[int, ...], num_joints: int) -> np.ndarray:
    """Return how far each joint is hidden at each frame, for a limb in a window of time.

    Args:
        window: How far the limb is hidden at each frame.
        joints: Indices of the limb's joints.
        num_joints: Number of all joints *V*.

    Shape:
        window ``(T,)`` -> ``(T, V)``.
    """
    is_chosen = np.isin(np.arange(num_joints), joints)
    return np.asarray(window[:, None] * is_chosen)


@torch.no_grad()
def score_hidden(model: Recognizer, joints: np.ndarray, masks: np.ndarray, clip: ClipRecord) -> Tensor:
    """Return the log-probabilities of the classes with some joints hidden.

    Args:
        model: The model, in eval mode.
        joints: The joints of the clip.
        masks: How far each joint moves to its median position at each frame, from 0 to 1.
        clip: The clip, with the playing hand.

    Shape:
        joints ``(T, V, C)``, masks ``(N, T, V)`` -> ``(N, K)``, on the CPU.
    """
    rest = np.median(joints, 0)
    found = []
    for part in np.array_split(masks, -(-len(masks) // _BATCH)):
        hidden = (joints + part[..., None] * (rest - joints)).astype(np.float32)  # (n, T, V, C)
        if clip.hand == "left":
            hidden = np.stack([model.preprocessing.spec.to_right_handed(one) for one in hidden])
        inputs = torch.from_numpy(hidden).movedim(-1, 2).to(model.device)
        lengths = torch.full((len(hidden),), len(joints), device=model.device)
        logits = model(inputs, lengths, torch.full_like(lengths, HANDS[clip.hand]))
        found.append(model.network.clip_log_probability(logits, lengths).cpu())
    return torch.cat(found)


def choose_key_frames(num_frames: int, peak: int) -> np.ndarray:
    """Return evenly spaced frames, of which the nearest moves to the peak.

    Args:
        num_frames: Number of frames.
        peak: The frame that must be shown.

    >>> choose_key_frames(15, 5).tolist()
    [0, 2, 5, 6, 8, 10, 12, 14]
    """
    chosen = np.linspace(0, num_frames - 1, min(NUM_KEY_FRAMES, num_frames)).round().astype(int)
    chosen[np.abs(chosen - peak).argmin()] = peak
    return np.asarray(chosen)
