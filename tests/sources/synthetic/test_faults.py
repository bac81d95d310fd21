"""Strokes with a fault: the joints show it in the stated size."""

import numpy as np
import pytest

from tt_actions.sources.synthetic.body import MIRRORED
from tt_actions.sources.synthetic.faults import FAULTS, SIZES, faulty_motion
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player
from tt_actions.sources.synthetic.skeletons import SyntheticSkeletons

CASES = [(name, label) for name, fault in FAULTS.items() for label in fault.labels]


def angle(first, second):
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    return np.degrees(np.arccos(cosine))


def measure(motion):
    """Measures of a right-handed player facing +x, at the contact that the motion contains."""
    player_motion, stroke = motion.players[0], motion.strokes[0]
    joints = player_motion.joints.astype(float)
    if player_motion.player.left_handed:
        joints = joints[:, MIRRORED] * [1, -1, 1]
    contact = round(stroke.contact_s * FPS)
    at = joints[contact]
    across = joints[:, 4] - joints[:, 8]
    yaw = np.degrees(np.unwrap(np.arctan2(-across[:, 0], across[:, 1])))
    blade = player_motion.racket_position[contact : round(stroke.end_s * FPS)]
    before = player_motion.racket_position[max(0, contact - 8) : contact + 1]
    speed = np.linalg.norm(np.diff(player_motion.racket_position[contact - 6 : contact + 1], axis=0), axis=1)
    foot = (at[15] - at[14])[:2] / np.linalg.norm((at[15] - at[14])[:2])
    other = (at[19] - at[18])[:2] / np.linalg.norm((at[19] - at[18])[:2])
    free = joints[max(0, contact - 30) : contact + 1, 7, 2]
    return {
        "late_contact": -100 * (at[10] - at[8])[0],
        "bent_elbow": -angle(at[8] - at[9], at[10] - at[9]),
        "raised_elbow": 100 * (at[9] - at[8])[2],
        "small_backswing": -100 * np.linalg.norm(before - before[-1], axis=1).max(),
        "short_follow_through": -100 * np.linalg.norm(blade - blade[0], axis=1).max(),
        "no_trunk_turn": yaw[max(0, contact - 6)] - yaw[contact],
        "lean_back": -np.degrees(np.arctan2(*(at[20] - at[0])[[0, 2]])),
        "slow_swing": -speed.mean(),
        "low_toss": -100 * free.max(),
        "square_feet": np.degrees(np.arctan2(*(foot + other)[::-1])),
        "narrow_stance": -100 * np.linalg.norm((at[15] - at[19])[:2]),
    }


# Median change at medium size, in degrees or cm; for a slow swing, the speed in metres per frame
MIN_CHANGES = {
    "late_contact": 18, "bent_elbow": 25, "raised_elbow": 10, "small_backswing": 20,
    "short_follow_through": 30, "no_trunk_turn": 25, "lean_back": 18, "slow_swing": 0.01,
    "low_toss": 8, "square_feet": 36, "narrow_stance": 32,
}  # fmt: skip


@pytest.mark.parametrize(("name", "label"), CASES)
def test_joints_show_the_fault_and_more_of_it_the_larger_it_is(name, label):
    players = [draw_player(np.random.default_rng([1, i]), "a") for i in range(12)]
    sound = [
        measure(clip_motion(np.random.default_rng([2, i]), p, label, 2.5, None))
        for i, p in enumerate(players)
    ]
    more = {
        size: np.median(
            [
                measure(faulty_motion(np.random.default_rng([2, i]), p, label, 2.5, name, size))[name]
                - was[name]
                for i, (p, was) in enumerate(zip(players, sound, strict=True))
            ]
        )
        for size in SIZES
    }
    assert 0 < more["small"] <= more["medium"] <= more["large"] + 1e-9
    assert more["medium"] >= MIN_CHANGES[name]


def test_a_set_of_faulty_strokes_tells_them(tmp_path):
    source = SyntheticSkeletons(tmp_path, clips=24, players=6, halls=2, faults=True)
    source.prepare()
    told = []
    for record in source.records():
        with np.load(record.path) as file:
            told.append((str(file["fault"]), str(file["fault_size"]), record.label))
    assert 2 <= sum(not fault for fault, _, _ in told) <= 12
    assert all(label in FAULTS[fault].labels and size in SIZES for fault, size, label in told if fault)
    with pytest.raises(ValueError, match=r"`faults` True \(now False\)"):
        SyntheticSkeletons(tmp_path, clips=24, players=6, halls=2).prepare()


def test_a_fault_that_is_not_made_in_a_stroke_is_refused():
    player = draw_player(np.random.default_rng(0), "a")
    for name, label, size in (
        ("low_toss", "smash", "small"),
        ("lob", "smash", "small"),
        ("lean_back", "smash", "huge"),
    ):
        with pytest.raises(ValueError, match=f"but got '{name}' of a '{label}' and '{size}'"):
            faulty_motion(np.random.default_rng(0), player, label, 2.5, name, size)
