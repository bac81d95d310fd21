"""The joints of a player during a mark, from the joints of a whole match."""

import numpy as np

from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.errors import UnreadableError
from tt_actions.label.marks import Mark
from tt_actions.recognition.analysis import MatchAnalysis, PlayerMotion
from tt_actions.recognition.swing_reader import during, find_scenes, smooth_joints
from tt_actions.video.types import Timed

PREPROCESSING = JointPreprocessing(layout="ntu25", num_frames=128, sampling="all")
"""How joints are prepared; the same as in experiments/strokes.yaml."""

_LEAST_S = 0.1  # a shorter stretch shows no stroke


class StrokeJoints:
    """The joints of the players of a match, prepared as in a training, and cut to marks.

    Args:
        analysis: The analysis of the match.
        motion: Its joints.
    """

    def __init__(self, analysis: MatchAnalysis, motion: PlayerMotion) -> None:
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
        return joints if joints is None or mark.hand != "left" else PREPROCESSING.to_right_handed(joints)

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
            complete = PREPROCESSING.complete(*part, self.video, is_timed=True)
        except UnreadableError:  # no joint is visible there
            return None
        return PREPROCESSING.choose(complete).values

    def _find_scenes(self, player: int) -> list[Timed]:
        poses, times_s = self.motion.poses[player], self.times_s
        fps = 1 / float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
        return [
            smooth_joints(PREPROCESSING, self.video, poses[scene], times_s[scene], fps)
            for scene in find_scenes(poses, times_s, self.motion.is_new_scene)
        ]
