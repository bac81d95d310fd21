"""Explanations of predictions from joints: which joint supports a class, and when, by occlusion.

Each joint is hidden for a short time (:mod:`tt_actions.evaluation.occlusion`): it moves to its median
position over the clip; its mean position would keep a trace of the movement. It moves there smoothly, because
a jump would be a movement of its own. A trajectory travels, so its median position may be far away: a hidden
part of it is a straight line instead.

What this can't show:

- It hides the movement of a joint, but not its usual position. A model that identifies a stroke by a posture
  that the player keeps for the whole clip loses nothing.
- If either of two joints, or of two times, is enough for the model, hiding one of them changes little. Each
  limb is therefore also hidden as a whole, during the whole clip.
- A hidden joint can give a body that no training clip shows, so a fall may be surprise rather than evidence.
- Windows are about a twelfth of the clip long, and joints are hidden one at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from tt_actions.clips.dataset import HANDS
from tt_actions.clips.joint_preprocessing import JointPreprocessing, JointSpec
from tt_actions.clips.records import ClipRecord
from tt_actions.evaluation.explanation import Explanation, evaluating
from tt_actions.evaluation.joint_figure import draw_explanation
from tt_actions.evaluation.occlusion import NORMALISATION, SCORE, log_odds, smooth_windows
from tt_actions.evaluation.player_pictures import PlayerPictures, cut_out_player
from tt_actions.pose.video import POINTS, pose_rate
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.skeleton.layouts import BLAZEPOSE33_2D, PATHS, Layout, convert, find_layout
from tt_actions.skeleton.limbs import find_limbs

MEDIAN = "median position of each joint over the clip"
STRAIGHT = "straight line from before to after the hidden time"

NUM_KEY_FRAMES = 8
"""Number of moments that the figure shows."""

_BATCH = 32


@dataclass(frozen=True)
class JointExplanation(Explanation):
    """Which joints support a class, and when.

    Args:
        falls: How much the log-odds of the class fall at most when a joint is hidden around a frame; negative
            if they rise.
        limbs: Names of the limbs.
        limb_falls: How much the log-odds fall if a limb is hidden during the whole clip.
        hidden_probabilities: Probability of the class if a limb is hidden during the whole clip.
        joints: The joints that the model read, of a left-hander as they were recorded.
        layout: Name of their layout.
        key_frames: Indices of the frames to show, in order.
        pictures: The player in the key frames of a video; None for a joint file.

    Shape:
        heat and falls ``(T, V)``, float32, limb_falls and hidden_probabilities ``(L,)``, joints
        ``(T, V, C)``, key_frames ``(N,)``.
    """

    falls: np.ndarray
    limbs: tuple[str, ...]
    limb_falls: np.ndarray
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
        meaning = _MEANING_OF_PATH if find_layout(self.layout) in PATHS else _MEANING
        if not self.heat.any():
            return (
                f"Nothing supports {self.class_name}: hiding a part for a short time does not make it less "
                f"likely. {meaning}"
            )
        frame, joint = np.unravel_index(self.heat.argmax(), self.heat.shape)
        limbs = find_limbs(find_layout(self.layout))
        name, limb = next((name, i) for i, (name, of) in enumerate(limbs.items()) if joint in of)
        hidden, now = self.hidden_probabilities[limb], self.prediction.probabilities[self.class_name]
        fall = self.limb_falls[limb]
        return (
            f"The {self.joint_names[joint]} at {self.prediction.times_s[frame]:.2f} s supports "
            f"{self.class_name} most. With the {name} hidden during the whole clip, the log-odds "
            f"{'fall' if fall >= 0 else 'rise'} by {abs(fall):.2f}, and the probability is {hidden:.2f} "
            f"instead of {now:.2f}. {meaning}"
        )

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names of the joints, in the order of the heat, such as ``left wrist``."""
        return tuple(name.replace("_", " ") for name in find_layout(self.layout).joints)

    def draw(self, model: Recognizer) -> Figure:
        """Draw the key frames with coloured joints, and the heat map of joints and time.

        Args:
            model: The explained model.
        """
        return draw_explanation(
            joints=self.joints,
            layout=find_layout(self.layout),
            times_s=self.prediction.times_s,
            falls=self.falls,
            limbs=find_limbs(find_layout(self.layout)),
            limb_falls=self.limb_falls,
            hidden_probabilities=self.hidden_probabilities,
            key_frames=self.key_frames,
            pictures=self.pictures,
            title=self.title,
            note=self.note(model),
        )

    def facts(self) -> dict[str, Any]:
        """Return, as plain types, what is known about the method besides its name."""
        return {
            "score": SCORE,
            "rest": STRAIGHT if find_layout(self.layout) in PATHS else MEDIAN,
            "normalisation": NORMALISATION,
            "joints": self.joint_names,
            "limbs": self.limbs,
            "hidden_probabilities": dict(zip(self.limbs, self.hidden_probabilities.tolist(), strict=True)),
            "largest_fall": float(self.falls.max()),
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the numbers of the explanation by name."""
        return super().arrays() | {
            "falls": self.falls,
            "joint_names": np.array(self.joint_names),
            "limbs": np.array(self.limbs),
            "limb_falls": self.limb_falls,
            "hidden_probabilities": self.hidden_probabilities,
            "joints": self.joints,
        }


_MEANING = (
    "Orange joints support the class, blue ones speak against it. A joint is hidden by moving it to its "
    "median position over the clip. This shows neither the effect of a posture that lasts for the whole "
    "clip, nor that of two joints of which either is enough."
)
_MEANING_OF_PATH = (
    "Orange times support the class, blue ones speak against it. A time is hidden by a straight line from "
    "before to after it. This does not show the effect of two times of which either is enough."
)


class _Clip(NamedTuple):
    """The joints that a model reads, their times, and where they are in the video's pictures."""

    joints: np.ndarray
    times_s: np.ndarray
    points: np.ndarray | None  # (S, V, 2), in the pictures from the start of the clip
    rate: float


def explain_joints(model: Recognizer, clip: ClipRecord, class_name: str | None) -> JointExplanation:
    """Compute which joints support a class, and when.

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
        falls, limb_falls, hidden = measure_falls(model, read.joints, list(limbs.values()), index, clip)
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
        falls=falls,
        limbs=tuple(limbs),
        limb_falls=limb_falls,
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
    model: Recognizer, joints: np.ndarray, limbs: Sequence[tuple[int, ...]], index: int, clip: ClipRecord
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return by how much the log-odds of a class fall when a joint or a limb is hidden.

    Args:
        model: The model, in eval mode.
        joints: The joints of the clip.
        limbs: The joints of each limb.
        index: Index of the class.
        clip: The clip, with the playing hand.

    Returns:
        The fall when a joint is hidden around each frame, interpolated between the windows; the fall when a
        limb is hidden during the whole clip; and the probability of the class then.

    Shape:
        joints ``(T, V, C)`` -> ``(T, V)``, ``(L,)``, ``(L,)``, float32.
    """
    num_frames, num_joints = joints.shape[:2]
    windows = smooth_windows(num_frames)
    each = np.eye(num_joints)
    by_joint = (windows[:, None, :, None] * each[:, None]).reshape(-1, num_frames, num_joints)
    by_limb = np.stack([np.tile(each[list(limb)].sum(0), (num_frames, 1)) for limb in limbs])
    masks = np.concatenate([np.zeros_like(by_limb[:1]), by_limb, by_joint])
    log_probs = score_hidden(model, joints, masks, clip)
    odds = log_odds(log_probs, index).numpy()
    falls = (odds[0] - odds[1:]).astype(np.float32)
    of_joints = windows.T @ falls[len(limbs) :].reshape(len(windows), num_joints)
    of_limbs, hidden = falls[: len(limbs)], log_probs[1 : 1 + len(limbs), index].exp().numpy()
    return of_joints.astype(np.float32), of_limbs, hidden


@torch.no_grad()
def score_hidden(model: Recognizer, joints: np.ndarray, masks: np.ndarray, clip: ClipRecord) -> Tensor:
    """Return the log-probabilities of the classes with some joints hidden.

    Args:
        model: The model, in eval mode.
        joints: The joints of the clip.
        masks: How far each joint is hidden at each frame, from 0 to 1: see :func:`hide_joints`.
        clip: The clip, with the playing hand.

    Shape:
        joints ``(T, V, C)``, masks ``(N, T, V)`` -> ``(N, K)``, on the CPU.
    """
    spec = model.preprocessing.spec
    assert isinstance(spec, JointSpec)
    layout = find_layout(spec.layout)
    found = []
    for part in np.array_split(masks, -(-len(masks) // _BATCH)):
        hidden = np.stack([hide_joints(joints, mask, layout) for mask in part])  # (n, T, V, C)
        if clip.hand == "left":
            hidden = np.stack([spec.to_right_handed(one) for one in hidden])
        inputs = torch.from_numpy(hidden).movedim(-1, 2).to(model.device)
        lengths = torch.full((len(hidden),), len(joints), device=model.device)
        logits = model(inputs, lengths, torch.full_like(lengths, HANDS[clip.hand]))
        found.append(model.network.clip_log_probability(logits, lengths).cpu())
    return torch.cat(found)


def hide_joints(joints: np.ndarray, mask: np.ndarray, layout: Layout) -> np.ndarray:
    """Take the movement out of the hidden joints of a body, or of the hidden time of a trajectory.

    Args:
        joints: The joints of a clip.
        mask: How far each joint moves to its median position at each frame, from 0 to 1. A trajectory is
            straight wherever this is not 0.
        layout: Layout of the joints.

    Shape:
        joints ``(T, V, C)``, mask ``(T, V)`` -> ``(T, V, C)``, float32.

    >>> path = np.array([0.0, 1.0, 9.0, 3.0]).reshape(4, 1, 1)
    >>> hide_joints(path, np.array([[0], [0], [1], [0]]), find_layout("ball")).ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    rest = np.median(joints, 0)
    shown = np.flatnonzero(mask[:, 0] == 0)
    if layout not in PATHS or len(shown) == 0:
        return np.asarray(joints + mask[..., None] * (rest - joints), np.float32)
    frames = np.arange(len(joints))
    values = [np.interp(frames, shown, joints[shown, 0, axis]) for axis in range(joints.shape[2])]
    return np.stack(values, 1)[:, None].astype(np.float32)


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
