"""The joints of a player during a mark, from the joints of a whole match."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.errors import UnreadableError
from tt_actions.label.marks import Mark
from tt_actions.pose.choice import IN_IMAGE, IN_SPACE
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.recognition.swing_reader import during, find_scenes, smooth_joints
from tt_actions.video.types import Timed

PREPROCESSING = JointPreprocessing(layout=IN_SPACE, num_frames=128, sampling="all")
"""How joints in space are prepared; the same as in experiments/strokes.yaml."""

_LEAST_S = 0.1  # a shorter stretch shows no stroke


def choose_preprocessing(motions: Iterable[PlayerMotion]) -> JointPreprocessing:
    """Return how the joints of several matches are prepared, so that they can be compared.

    Args:
        motions: The joints of each match. If those of one are known in the image only, all are taken there.
    """
    is_flat = any(motion.is_flat for motion in motions)
    return replace(PREPROCESSING, layout=IN_IMAGE) if is_flat else PREPROCESSING


class StrokeJoints:
    """The joints of the players of a match, prepared as in a training, and cut to marks.

    Args:
        analysis: The analysis of the match.
        motion: Its joints.
        preprocessing: How they are prepared.
    """

    def __init__(
        self,
        analysis: MatchAnalysis,
        motion: PlayerMotion,
        preprocessing: JointPreprocessing = PREPROCESSING,
    ) -> None:
        self.preprocessing = preprocessing
        self.video, self.players, self.times_s = analysis.video, analysis.players, analysis.times_s
        self.motion = motion
        self._scenes: dict[str, list[Timed]] = {}
        self._clips: dict[tuple[str, float, float], np.ndarray | None] = {}

    def read(self, mark: Mark) -> np.ndarray | None:
        """Return the joints during a mark, mirrored if it is of the left hand.

        Args:
            mark: The mark. If the video is cut within it, only the longest scene counts.

        Returns:
            The normalised joints ``(T, V, C)``, float32; None if the player is not found.
        """
        key = mark.player, mark.start_s, mark.end_s
        if key not in self._clips:
            self._clips[key] = self._cut(*key)
        joints = self._clips[key]
        return joints if joints is None or mark.hand != "left" else self.preprocessing.to_right_handed(joints)

    def _cut(self, player: str, start_s: float, end_s: float) -> np.ndarray | None:
        if player not in self.players:  # the video was analysed again with other names
            return None
        if player not in self._scenes:
            self._scenes[player] = self._find_scenes(self.players.index(player))
        parts = [during(scene, start_s, end_s) for scene in self._scenes[player]]
        part = max(parts, key=lambda part: len(part.values), default=None)
        if part is None or len(part.values) < 2 or part.times_s[-1] - part.times_s[0] < _LEAST_S:
            return None
        try:
            complete = self.preprocessing.complete(*part, self.video, is_timed=True)
        except UnreadableError:  # no joint is visible there
            return None
        return self.preprocessing.choose(complete).values

    def _find_scenes(self, player: int) -> list[Timed]:
        poses, times_s = self.motion.poses[player], self.times_s
        fps = 1 / float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
        return [
            smooth_joints(self.preprocessing, self.video, poses[scene], times_s[scene], fps)
            for scene in find_scenes(poses, times_s, self.motion.is_new_scene)
        ]
