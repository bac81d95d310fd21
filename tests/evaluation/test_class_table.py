"""Precision, recall and F1 of each class against scikit-learn, and undefined ones by hand."""

import csv

import numpy as np
import pytest
from sklearn.metrics import classification_report, precision_recall_fscore_support

from tt_actions.evaluation.class_table import class_scores, class_table
from tt_actions.evaluation.clip_scores import measure
from tt_actions.evaluation.predictions import Predictions, count_confusions

NAMES = ["serve", "forehand", "backhand", "smash"]


@pytest.mark.parametrize("num_clips", [5, 200])
def test_scores_and_averages_are_those_of_scikit_learn(num_clips):
    labels, predicted = np.random.default_rng(num_clips).integers(0, 4, (2, num_clips))
    confusion = count_confusions(labels, predicted, 4)
    expected = precision_recall_fscore_support(labels, predicted, labels=range(4), zero_division=np.nan)
    scores = class_scores(confusion)
    assert np.allclose(np.stack(scores[:2]), np.stack(expected[:2]), equal_nan=True)
    assert np.allclose(scores.f1, np.stack(expected[2]), equal_nan=True)
    assert scores.support.tolist() == expected[3].tolist()
    report = classification_report(labels, predicted, output_dict=True, zero_division=0)
    rows = {name: shown for name, *shown in class_table(confusion, NAMES, {}).rows}
    for name in ("macro", "weighted"):
        averages = [f"{report[f'{name} avg'][key]:.3f}" for key in ("precision", "recall", "f1-score")]
        assert rows[f"{name} average"] == [*averages, str(num_clips)]


def test_averages_are_those_of_the_report():
    rng = np.random.default_rng(1)
    frames = tuple(np.zeros(3, int) for _ in range(9))
    clips = Predictions(
        tuple(NAMES), tuple("abcdefghi"), rng.integers(0, 3, 9), rng.dirichlet(np.ones(4), 9), frames, 0.5
    )
    (averages,) = (row for row in class_table(clips.confusion, NAMES, {}).rows if row[0] == "macro average")
    assert averages[1:4] == [f"{measure(clips)[key]:.3f}" for key in ("precision", "recall", "f1")]


def test_an_undefined_score_is_a_dash_and_an_empty_cell(tmp_path):
    table = class_table(np.array([[2, 0], [1, 0]]), ["a", "b"], {"commit": "c" * 40}, {"area": [0.5, None]})
    assert table.rows[:2] == [["a", "0.667", "1.000", "0.800", "2"], ["b", "-", "0.000", "0.000", "1"]]
    table.write(tmp_path / "per_class")
    with (tmp_path / "per_class.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["class", "area", "precision", "recall", "f1", "support"]
    assert list(rows[1].values()) == ["b", "", "", "0.0", "0.0", "1"]
    assert "commit cccccccccc." in (tmp_path / "per_class.tex").read_text()
    assert "Accuracy 0.667 on 3 clips" in (tmp_path / "per_class.md").read_text()
