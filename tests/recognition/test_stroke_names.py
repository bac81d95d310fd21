from dataclasses import replace

import numpy as np
import pytest
import torch
from drawn_motions import write
from joint_match import NUM_CLIPS, film_strokes

from tt_actions.clips.strokes import NO_STROKE
from tt_actions.errors import UserError
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.recognition.stroke_names import FOLDER, load_names
from tt_actions.sources.synthetic.drawn_swings import AROUND_S
from tt_actions.sources.synthetic.motion import clip_motion, strokes_of
from tt_actions.sources.synthetic.player import draw_player

SPORTS = ("table_tennis", "tennis")
by_sport = pytest.mark.parametrize("sport", SPORTS)


@by_sport
def test_the_package_contains_a_small_network_for_each_sport(sport):
    model = load_names(sport)
    assert isinstance(model, Recognizer)
    assert set(model.class_names) == {*strokes_of(sport), NO_STROKE}
    assert model.typical_swing is not None
    assert (FOLDER / f"{sport}.ckpt").stat().st_size < 2e6


@by_sport
def test_a_network_contains_nothing_but_what_names_strokes(sport):
    content = torch.load(FOLDER / f"{sport}.ckpt", weights_only=True)
    assert set(content) == {"state_dict", "hyper_parameters", "typical_swing", "has_regions"}
    assert set(content["hyper_parameters"]) == {"network", "preprocessing", "class_names"}


def test_an_unknown_sport_is_refused():
    with pytest.raises(UserError, match="Expected `sport` to be one of"):
        load_names("badminton")


@by_sport
@pytest.mark.parametrize("hand", [None, "given"])
def test_a_network_names_the_strokes_of_drawn_players_that_it_never_saw(sport, hand, tmp_path):
    model, right = load_names(sport), []
    before_s, after_s = AROUND_S[sport]
    for label in strokes_of(sport):
        for seed in range(8):
            rng = np.random.default_rng([77, seed])
            player = replace(draw_player(rng, "a"), sport=sport, left_handed=seed == 0)
            motion = clip_motion(rng, player, label, 2.4, None)
            contact_s = motion.strokes[0].contact_s
            found = model.predict(
                write(tmp_path / "stroke.npz", motion),
                max(0, contact_s - 0.8 * before_s),
                min(2.4, contact_s + 0.8 * after_s),
                hand=None if hand is None else ("left" if player.left_handed else "right"),
            )
            right.append(found.label == label)
    assert np.mean(right) > 0.8


@by_sport
def test_a_network_tells_drawn_players_who_do_something_else(sport, tmp_path):
    model, right = load_names(sport), []
    for seed in range(24):
        player = replace(draw_player(np.random.default_rng([78, seed]), "a"), sport=sport)
        motion = clip_motion(np.random.default_rng(seed), player, NO_STROKE, 2.4, None)
        found = model.predict(write(tmp_path / "pause.npz", motion), 0.2, 1.8)
        right.append(found.label == NO_STROKE)
    assert np.mean(right) > 0.8


def test_names_find_and_name_the_strokes_in_a_video_without_any_training(tmp_path):
    film_strokes(tmp_path)
    model = load_names("table_tennis")
    strokes = model.analyze(tmp_path / "match.mp4").strokes
    assert NUM_CLIPS - 1 <= len(strokes) <= NUM_CLIPS + 2
    truth = ("serve", "forehand", "backhand", "smash")  # two seconds each
    assert {stroke.label for stroke in strokes} <= set(truth)
    assert sum(s.label == truth[min(int(s.contact_s / 2), 3)] for s in strokes) >= 2
