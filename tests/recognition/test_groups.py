"""Groups of strokes that look alike: on drawn players whose strokes are known."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from drawn_joints import draw_stroke

from tt_actions.clips.joint_preprocessing import JointSpec
from tt_actions.recognition.groups import MAX_GROUPS, group_strokes
from tt_actions.skeleton.hands import hand_speeds
from tt_actions.skeleton.layouts import NTU25


def around_contact(kind, player):
    """Draw a stroke, and return the normalised joints around the fastest moment of the right hand."""
    spec = JointSpec("ntu25")
    joints = spec.normalise(draw_stroke(player, kind), Path("drawn"))
    fastest = int(hand_speeds(joints, NTU25, spec.fps)[:, 1].argmax())
    return joints[max(0, fastest - 15) : fastest + 10]


def test_similar_strokes_share_a_group():
    kinds = [kind for kind in ("forehand", "backhand", "smash") for _ in range(6)]
    groups = group_strokes([around_contact(kind, player) for player, kind in enumerate(kinds)], NTU25)
    by_group = [Counter(k for k, g in zip(kinds, groups, strict=True) if g == group) for group in set(groups)]
    assert sum(max(own.values()) for own in by_group) >= 0.8 * len(kinds)


def test_the_largest_group_comes_first():
    low, high = np.zeros((20, 25, 3)), np.ones((20, 25, 3))
    assert group_strokes([high] * 3 + [low] * 9, NTU25).tolist() == [1] * 3 + [0] * 9


@pytest.mark.parametrize(
    ("num_strokes", "num_groups"), [(0, 0), (1, 1), (7, 1), (8, 2), (11, 2), (100, MAX_GROUPS)]
)
def test_there_are_few_groups(num_strokes, num_groups):
    rng = np.random.default_rng(0)
    groups = group_strokes(list(rng.normal(size=(num_strokes, 9, 25, 3))), NTU25)
    assert sorted(set(groups.tolist())) == list(range(num_groups))


def test_equal_strokes_are_one_group():
    assert set(group_strokes([np.ones((9, 25, 3))] * 20, NTU25).tolist()) == {0}


def test_the_length_of_a_stroke_and_the_legs_do_not_count():
    rng = np.random.default_rng(0)
    course = np.linspace(0, 1, 10)[:, None, None] * rng.normal(size=(25, 3))
    slow = np.repeat(course, 2, axis=0)
    slow[:, [NTU25.index("left_knee"), NTU25.index("right_ankle")]] = 99
    assert group_strokes([*[course] * 5, *[-course] * 4, slow], NTU25).tolist() == [*[0] * 5, *[1] * 4, 0]
