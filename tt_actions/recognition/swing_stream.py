"""Finding the swings of a player while the video runs."""

import math
from collections import deque

import numpy as np

from tt_actions.errors import UserError
from tt_actions.recognition.joint_pipeline import ScoredStroke, StrokeReader
from tt_actions.recognition.swing_reader import LONGEST_GAP_S
from tt_actions.recognition.swings import MIN_GAP, Swing, find_peaks, place_swing
from tt_actions.video.types import Timed

WAIT_S = 0.4
"""Default time after contact at which a swing is reported."""

MIN_WAIT_S = 0.2
"""Shortest such time: before, a peak of the smoothed speed is not known."""

_SAME_TIME_S = 1e-6
_SAME_PEAK_S = 0.1  # by which later joints may move a peak
_REACH = 2.0  # length of the joints in memory, relative to the training clips


class SwingStream:
    """Finds and classifies the swings of one player, each a fixed time after contact.

    Contact is a peak of the hand's speed, as in :func:`tt_actions.recognition.swings.find_swings`. It counts
    as soon as the hand has not been faster for ``wait_s``, and the speed does not matter thereafter. The
    training clips show more of the follow-through, so the model continues the joints to the length of these
    clips: see :meth:`tt_actions.models.base.ActionModel.continue_clips`. The stroke ends with the last joints
    that were seen.

    A cut, or a third of a second without the player, ends the scene. Its remaining swings are then reported.

    Args:
        reader: What finds and classifies the swings.
        wait_s: Seconds from contact to the report. It is shorter if the training clips end earlier.

    Raises:
        UserError: If ``wait_s`` is below :data:`MIN_WAIT_S`.
    """

    def __init__(self, reader: StrokeReader, wait_s: float = WAIT_S) -> None:
        if wait_s < MIN_WAIT_S - _SAME_TIME_S:
            least = math.ceil(MIN_WAIT_S * reader.spec.fps - _SAME_TIME_S)
            raise UserError(
                f"Expected a `lag` of at least {least} frames, {MIN_WAIT_S:g} s, for a model of joints, but "
                f"got {wait_s * reader.spec.fps:g}. Use a larger `lag`."
            )
        typical = reader.typical
        self.reader = reader
        self.wait_s = min(wait_s, max(MIN_WAIT_S, (1 - typical.contact) * typical.seconds))
        self._recent: deque[tuple[float, np.ndarray]] = deque()
        self._seen_s = self._contact_s = self._end_s = self._left_out_s = -math.inf

    def push(self, time_s: float, pose: np.ndarray, is_new_scene: bool = False) -> list[ScoredStroke]:
        """Add the next joints, and return the strokes that are known now.

        Args:
            time_s: When the image is shown, in seconds.
            pose: The landmarks: see :class:`tt_actions.pose.video.PoseFrame`; NaN if the player is not found.
            is_new_scene: Whether the video was cut before this image.

        Shape:
            pose ``(33, 6)``.
        """
        step_s = 1 / self.reader.fps
        is_lost = time_s - self._seen_s > LONGEST_GAP_S + step_s + _SAME_TIME_S
        strokes = self.finish() if is_new_scene or is_lost else []
        is_found = not np.isnan(pose[0, 0])
        if is_found:
            self._seen_s = time_s
        if is_found or self._recent:
            self._recent.append((time_s, pose))
            while self._recent[0][0] < time_s - _REACH * self.reader.typical.seconds:
                self._recent.popleft()
            strokes += self._find(is_over=False)
        return strokes

    def finish(self) -> list[ScoredStroke]:
        """Return the remaining strokes at the end of a scene, and begin a new one."""
        strokes = self._find(is_over=True)
        self._recent.clear()
        self._contact_s = self._left_out_s = -math.inf
        return strokes

    def _find(self, is_over: bool) -> list[ScoredStroke]:
        """Return the strokes that are known now and were not before."""
        times_s = np.array([time_s for time_s, _ in self._recent])
        poses = np.array([pose for _, pose in self._recent])
        if not len(poses) or np.isnan(poses[:, 0, 0]).all():
            return []
        joints = self.reader.find_joints(poses, times_s)
        speed, at_s = self.reader.find_speed(joints)
        if len(speed) < 3:
            return []
        fps, typical, strokes = self.reader.spec.fps, self.reader.typical, []
        first_s, last_s = float(at_s[0]), float(at_s[-1]) + 1 / fps
        latest_s = math.inf if is_over else float(times_s[-1]) - self.wait_s
        if not is_over:
            speed = np.append(speed, 0)  # so that a peak needs no fall after it
        gap_s = MIN_GAP * typical.seconds
        for frame in find_peaks(speed, fps, typical, min_gap=0).tolist():
            contact_s = float(at_s[frame])
            earliest_s = max(self._contact_s + gap_s - _SAME_TIME_S, self._left_out_s + _SAME_PEAK_S)
            is_new = earliest_s <= contact_s <= latest_s + _SAME_TIME_S
            if is_new and speed[frame] >= speed[frame : frame + round(gap_s * fps)].max():
                swing = place_swing(contact_s, first_s, last_s if is_over else math.inf, typical)
                strokes += self._classify(joints, swing, last_s)
        return strokes

    def _classify(self, joints: Timed, swing: Swing, last_s: float) -> list[ScoredStroke]:
        """Return the stroke that a swing is, if it is one."""
        num_frames = round((swing.end_s - swing.start_s) * self.reader.spec.fps)
        seen = swing._replace(end_s=min(swing.end_s, last_s))
        scores = self.reader.classify(joints, seen, num_frames if seen.end_s < swing.end_s else 0)
        if not self.reader.is_stroke(scores):
            self._left_out_s = swing.contact_s  # a stroke may follow at once
            return []
        start_s = max(seen.start_s, min(self._end_s, seen.contact_s))
        end_s = min(seen.end_s, seen.contact_s + MIN_GAP * self.reader.typical.seconds)
        self._contact_s, self._end_s = swing.contact_s, end_s
        return [self.reader.name(seen._replace(start_s=start_s, end_s=end_s), scores)]
