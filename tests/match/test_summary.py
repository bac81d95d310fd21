"""A match in numbers: counted by hand, and against NumPy; the files it is kept in."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from tt_actions.clips.strokes import Stroke
from tt_actions.match.summary import (
    count_strokes,
    count_unsure,
    describe_match,
    find_rallies,
    mean_confidence,
    measure_tempo,
)
from tt_actions.recognition.analysis import MatchAnalysis, write_analysis

CLASSES = ("serve", "forehand", "backhand")

# two rallies and a single stroke: the pause before 8.0 is 3.5 s, the one before 20.0 is 11 s
COUNTED = (
    Stroke("serve", 0.0, 0.5, 0.25, 0.9, "left"),
    Stroke("forehand", 1.0, 1.5, 1.25, 0.5, "right"),
    Stroke("forehand", 4.0, 4.5, None, 0.8, "left"),
    Stroke("serve", 8.0, 9.0, 8.5, 0.6, "right"),
    Stroke("forehand", 20.0, 21.0, 20.5, 0.7, "left"),
)


def analysis(strokes=COUNTED, duration_s=30.0, players=("left", "right"), num_frames=4):
    frames = np.linspace(0, duration_s, num_frames, endpoint=False)
    probabilities = np.full((len(players), num_frames, 4), 0.25, np.float32)
    return MatchAnalysis(
        Path("some/match.mp4"),
        duration_s,
        CLASSES,
        players,
        strokes,
        (*CLASSES, "idle"),
        frames,
        probabilities,
    )


def test_rallies_end_where_the_pause_is_long():
    rallies = find_rallies(COUNTED)
    assert [[stroke.start_s for stroke in rally.strokes] for rally in rallies] == [[0, 1, 4], [8], [20]]
    assert [rally.length_s for rally in rallies] == [4.5, 1, 1]
    assert len(find_rallies(COUNTED, gap_s=3.5)) == 2
    assert find_rallies([]) == []


def test_a_long_stroke_goes_on_behind_a_short_one():
    strokes = [
        Stroke("serve", 0, 9, player="left"),
        Stroke("serve", 1, 2, player="right"),
        Stroke("serve", 11, 12, player="left"),
    ]
    assert len(find_rallies(strokes)) == 1


def test_strokes_are_counted_by_player_and_class():
    assert count_strokes(analysis()) == {
        "left": {"serve": 1, "forehand": 2, "backhand": 0},
        "right": {"serve": 1, "forehand": 1, "backhand": 0},
    }
    assert mean_confidence(COUNTED) == pytest.approx(0.7)
    assert count_unsure(COUNTED) == 1
    assert mean_confidence([Stroke("serve", 0, 1)]) is None


def test_tempo_is_a_histogram_of_the_beginnings():
    generator = random.Random(0)
    starts_s = sorted(generator.uniform(0, 299) for _ in range(200))
    strokes = tuple(Stroke("serve", start_s, start_s + 0.5, player="left") for start_s in starts_s)
    tempo = measure_tempo(analysis(strokes, 299.5), bin_s=30)
    counts, edges = np.histogram(starts_s, bins=10, range=(0, 299.5))
    np.testing.assert_allclose(tempo.rates["left"], counts * 60 / np.diff(edges))
    assert tempo.bin_s == pytest.approx(29.95)
    assert tempo.rates["right"] == [0] * 10


@pytest.mark.parametrize("duration_s", [0.2, 7, 190, 600, 3 * 3600, 30 * 3600])
def test_tempo_parts_are_few(duration_s):
    tempo = measure_tempo(analysis((), duration_s))
    assert 1 <= len(tempo.rates["left"]) <= 24 or tempo.bin_s == 600


def test_sentences_say_what_was_counted():
    sentences = describe_match(analysis())
    assert sentences == [
        "5 strokes in 30 s, 10.0 per minute. Most frequent: forehand (60 %).",
        "left: 3 strokes, 6.0 per minute. Most frequent: forehand (67 %).",
        "right: 2 strokes, 4.0 per minute. Most frequent: serve and forehand (each 50 %).",
        "3 rallies (pauses of at most 3 s). On average, a rally has 1.7 strokes and lasts 2.2 s. "
        "The longest has 3 strokes in 4.5 s and starts at 0:00.",
        "The model's mean confidence is 70 %. A confident prediction can still be wrong. 1 stroke has less "
        "than 60 % confidence and is hatched: check it.",
    ]
    assert describe_match(analysis(())) == ["No strokes found in 30 s."]
    alone = describe_match(analysis((Stroke("serve", 0, 1, player="left"),)))
    assert alone[2] == "right: 0 strokes."
    assert alone[3] == "1 rally (pauses of at most 3 s): 1 stroke in 1.0 s, starting at 0:00."
    assert alone[4].startswith("The strokes have no confidence values")


def test_a_change_of_tempo_is_told_only_where_it_is_beyond_chance():
    def halves(early, late):
        starts = [*np.linspace(0, 59, early), *np.linspace(60, 118, late)]
        strokes = tuple(Stroke("serve", float(s), float(s) + 0.5, player="left") for s in starts)
        return " ".join(describe_match(analysis(strokes, 120.0)))

    assert "The tempo fell: 60.0 strokes per minute in the first half, 20.0 in the second." in halves(60, 20)
    assert "The tempo rose" in halves(20, 60)
    assert "The tempo" not in halves(40, 24)


def test_files_hold_what_was_found(tmp_path):
    found = analysis()
    write_analysis(tmp_path / "new", found)
    with (tmp_path / "new/strokes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[2] == {
        "start_s": "4.000",
        "contact_s": "",
        "end_s": "4.500",
        "label": "forehand",
        "confidence": "0.8000",
        "player": "left",
    }
    document = json.loads((tmp_path / "new/strokes.json").read_text(encoding="utf-8"))
    assert document["video"] == "match.mp4"
    assert document["players"] == ["left", "right"]
    assert document["class_names"] == list(CLASSES)
    assert document["duration_s"] == 30
    assert document["strokes"][2] == {
        **rows[2],
        "start_s": 4,
        "contact_s": None,
        "end_s": 4.5,
        "confidence": 0.8,
    }
    with np.load(tmp_path / "new/frames.npz") as frames:
        assert frames["class_names"].tolist() == [*CLASSES, "idle"]
        assert frames["players"].tolist() == ["left", "right"]
        np.testing.assert_array_equal(frames["times_s"], found.times_s)
        np.testing.assert_allclose(frames["probabilities"], found.probabilities, atol=1e-3)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "strokes.csv",
        "strokes.json",
        "frames.npz",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strokes": COUNTED[::-1]}, "sorted by start"),
        ({"strokes": (Stroke("lob", 0, 1, player="left"),)}, "got 'lob' by 'left' at 0 s"),
        ({"strokes": (Stroke("serve", 0, 1),)}, "got 'serve' by 'None'"),
        ({"duration_s": 0.0}, "`duration_s` to be positive, but got 0.0"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        analysis(**{"num_frames": 0, **changes})


def test_probabilities_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"2 players, 0 frames and 1 classes, but got the shape \(1, 0, 1\)"):
        MatchAnalysis(
            Path("a.mp4"),
            1.0,
            ("serve",),
            ("left", "right"),
            (),
            ("serve",),
            np.zeros(0),
            np.zeros((1, 0, 1)),
        )


def test_a_file_name_of_other_bytes_is_written(tmp_path):
    found = MatchAnalysis(
        Path("a\udcff.mp4"), 1.0, CLASSES, ("player",), (), CLASSES, np.zeros(0), np.zeros((1, 0, 3))
    )
    assert found.name == "a?.mp4"
    write_analysis(tmp_path, found)
