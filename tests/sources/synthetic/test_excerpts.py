from collections import Counter

import numpy as np
import pytest

from tt_actions.clips.strokes import STROKES
from tt_actions.skeleton.files import read_joints
from tt_actions.skeleton.layouts import NTU25
from tt_actions.sources import SyntheticSkeletons
from tt_actions.sources.synthetic.excerpts import AFTER_S, BEFORE_S, excerpt, excerpt_motion
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.motion import FPS, clip_motion
from tt_actions.sources.synthetic.player import draw_player, draw_varied_player


def test_an_excerpt_shows_the_stroke_around_its_contact():
    rng = np.random.default_rng(0)
    shares, others = [], 0
    for index in range(40):
        label = STROKES[index % len(STROKES)]
        motion = excerpt_motion(rng, draw_varied_player(rng, "a"), label)
        length_s = len(motion.ball) / FPS
        assert BEFORE_S[0] + AFTER_S[0] - 0.05 <= length_s <= BEFORE_S[1] + AFTER_S[1] + 0.05
        own = [s for s in motion.strokes if s.label == label and s.player == 0 and 0 < s.contact_s < length_s]
        assert any(
            BEFORE_S[0] - 0.05 <= stroke.contact_s and stroke.contact_s <= length_s - AFTER_S[0] + 0.05
            for stroke in own
        )
        shares.append(own[0].contact_s / length_s)
        others += len([stroke for stroke in motion.strokes if stroke.player == 0]) > 1
        assert all(stroke.end_s > 0 and stroke.start_s < length_s for stroke in motion.strokes)
        assert STROKES.index(label) in motion.frame_labels()
        assert len(motion.players[0].joints) == len(motion.ball) == len(motion.players[0].racket_rotation)
    assert np.ptp(shares) > 0.3
    assert 1 <= others <= 20  # parts of strokes before or after


def test_an_excerpt_is_the_part_of_the_whole():
    motion = clip_motion(
        np.random.default_rng(0), draw_player(np.random.default_rng(1), "a"), "smash", 3.0, None
    )
    part = excerpt(motion, 1.0, 2.0)
    np.testing.assert_array_equal(part.players[0].joints, motion.players[0].joints[30:60])
    np.testing.assert_array_equal(part.ball, motion.ball[30:60])
    assert part.strokes[0].contact_s == pytest.approx(motion.strokes[0].contact_s - 1.0)
    stroke = motion.strokes[0]
    assert excerpt(motion, 0.0, stroke.start_s - 0.1).strokes == ()


def test_varied_players_differ_more_and_are_more_often_left_handed():
    usual = [draw_player(np.random.default_rng(i), "a") for i in range(300)]
    varied = [draw_varied_player(np.random.default_rng(i), "a") for i in range(300)]
    for habit in ("tempo", "amplitude", "turn", "lean_rad"):
        first, second = (np.std([getattr(player, habit) for player in each]) for each in (usual, varied))
        assert 1.6 * first < second < 2.1 * first, habit
    assert 0.05 < np.mean([player.left_handed for player in usual]) < 0.15
    assert 0.24 < np.mean([player.left_handed for player in varied]) < 0.36


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    source = SyntheticSkeletons(tmp_path_factory.mktemp("filmed"), clips=24, players=6, halls=4)
    source.prepare()
    return source


def test_by_default_files_have_errors_and_the_truth(filmed):
    records = filmed.records()
    assert set(Counter(record.label for record in records).values()) == {6}
    errors = []
    for record in records:
        with np.load(record.path) as file:
            found, true = file["joints_3d"], file["true_joints_3d"]
            assert np.isfinite(found).all()
            assert np.isfinite(file["joints_2d"]).all()
            assert str(file["label"]) in file["stroke_label"]
            assert len(file["racket_position"]) == len(file["true_racket_position"]) == len(found)
        read = read_joints(record.path, NTU25).joints
        np.testing.assert_allclose(read[..., 1], found[..., 2])  # what is read has the errors
        errors.append(np.abs(found - true)[:, [6, 10]].mean())
    assert 0.03 < np.mean(errors) < 0.3  # metres


def test_the_same_seed_gives_the_same_files_and_a_missing_one_is_made_again(filmed):
    first, second = (record.path for record in filmed.records()[:2])
    before = [path.read_bytes() for path in (first, second)]
    first.unlink()
    filmed.prepare()
    assert [path.read_bytes() for path in (first, second)] == before


def test_exact_joints_are_other_settings(filmed, tmp_path):
    exact = SyntheticSkeletons(filmed.out, clips=24, players=6, halls=4, filmed=False)
    with pytest.raises(ValueError, match=r"`filmed` True \(now False\)"):
        exact.prepare()
    exact.out = tmp_path
    exact.prepare()
    with np.load(exact.records()[0].path) as file:
        assert "true_joints_3d" not in file
        bones = np.linalg.norm(file["joints_3d"][:, 5] - file["joints_3d"][:, 6], axis=-1)
    assert np.ptp(bones) < 1e-4


@pytest.mark.parametrize("other", [{"pictures": True}, {"faults": True}, {"pauses": 2}, {"sport": "tennis"}])
def test_only_joints_of_strokes_of_table_tennis_can_be_filmed(tmp_path, other):
    options = {"pictures": False} | other
    with pytest.raises(ValueError, match="Expected `filmed` only for joints of table tennis"):
        synthesize(tmp_path / "a", 4, 2, filmed=True, **options)
    assert not list((tmp_path / "a").glob("*"))
