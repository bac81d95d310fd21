"""The page of a run, in a real browser."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pages import HOSTILE, wait_for

from tt_actions.clips.records import ClipRecord
from tt_actions.clips.splits import read_split_clips
from tt_actions.evaluation.class_table import class_scores
from tt_actions.evaluation.clip_scores import measure
from tt_actions.evaluation.predictions import Predictions
from tt_actions.evaluation.run_page import RunFacts, SplitRow, count_splits, describe_result, write_run_page

CLASSES = ("serve", "forehand", "backhand", "smash")


@pytest.fixture
def open_page(visits):
    """Opens a page of a run; afterwards its console must be silent, and nothing else asked for."""
    yield lambda path, **options: visits.open(path.as_uri(), **options)
    visits.close()
    assert visits.said == []
    assert {url for url in visits.asked if not url.startswith("data:")} <= set(visits.urls)


def facts(**changed):
    records = [
        ClipRecord(Path(f"{i}.mp4"), CLASSES[i % 4], group=f"player {i}", split="test" if i > 3 else "train")
        for i in range(8)
    ]
    return replace(
        RunFacts("tiny", "version_3", "test", "", "CNNLSTM", 1234, records, None, None, {}), **changed
    )


def predicted(class_names, num_clips=40, groups=()):
    rng = np.random.default_rng(0)
    labels = np.arange(num_clips) % len(class_names)
    probabilities = rng.dirichlet(np.ones(len(class_names)), num_clips)
    probabilities[np.arange(num_clips), labels] += 0.3
    return Predictions(
        class_names,
        tuple(f"{i}.mp4" for i in range(num_clips)),
        labels,
        probabilities / 1.3,
        tuple(rng.integers(0, len(class_names), 9) for _ in range(num_clips)),
        0.5,
        groups,
    )


def write(folder, predictions, **changed):
    metrics = {**measure(predictions), "provenance": {"seed": 3, "versions": {}}}
    return write_run_page(folder, facts(**changed), metrics, predictions, [])


def widths(page):
    return page.evaluate("[document.documentElement.scrollWidth, innerWidth]")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_training_writes_a_page_that_shows_what_came_out(trained, open_page, width, scheme):
    report = trained / "report"
    metrics = json.loads((report / "metrics.json").read_text("utf-8"))
    page = open_page(report / "index.html", width=width, color_scheme=scheme)
    scroll, inner = widths(page)
    assert scroll <= inner
    assert page.inner_text("h1") == "tiny version_0"
    tile = page.locator(".tiles div").first.inner_text()
    assert f"{metrics['accuracy']:.3f}" in tile
    assert f"[{metrics['accuracy_low']:.2f}, {metrics['accuracy_high']:.2f}]" in tile
    for tile, key in zip(page.locator(".tiles div").all()[1:3], ("f1", "temporal_consistency"), strict=True):
        assert f"{metrics[key]:.3f}" in tile.inner_text()
        assert f"[{metrics[f'{key}_low']:.2f}, {metrics[f'{key}_high']:.2f}]" in tile.inner_text()
    for row, (name, numbers) in zip(
        page.locator(".classes tbody tr").all(), metrics["per_class"].items(), strict=True
    ):
        text = row.inner_text()
        assert text.startswith(name)
        assert f"{numbers['accuracy']:.2f} [{numbers['accuracy_low']:.2f}" in text
        right = row.locator(".accuracy").evaluate("cell => cell.getBoundingClientRect().right")
        assert right <= width  # without scrolling
    drawn = [
        [int(n) for n in re.findall(r"\d+", row)] for row in page.locator(".confusion td").all_inner_texts()
    ]
    counted = np.loadtxt(report / "confusion_matrix.csv", delimiter=",", skiprows=1, usecols=range(1, 5))
    assert [cell[0] for cell in drawn] == counted.ravel().tolist()
    asked = page.inner_text("body")
    for expected in ("CNNLSTM", "UserClips", "lr 0.001", metrics["provenance"]["config_hash"], "val/loss"):
        assert expected in asked
    assert page.locator(".chart").count() == 4
    assert page.locator(".chart .best").count() == 4


def test_the_page_contains_the_worst_clips_and_they_play(trained, open_page):
    page = open_page(trained / "report" / "index.html")
    videos = page.locator("video")
    assert videos.count() == len(list((trained / "report" / "worst_clips").iterdir())) == 4
    wait_for(
        page, "[...document.querySelectorAll('video')].every(v => v.readyState >= 2 && v.videoWidth > 0)"
    )
    page.evaluate("document.querySelector('video').play().then(() => 0)")
    wait_for(page, "document.querySelector('video').currentTime > 0")
    captions = page.locator(".videos figcaption").all_inner_texts()
    assert all(re.match(r"true: \w+ \d\.\d+, predicted: \w+ \d\.\d+\n.*\.mp4", text) for text in captions)


def test_the_page_counts_the_clips_of_each_split(trained, open_page):
    page = open_page(trained / "report" / "index.html")
    records = read_split_clips(trained / "splits.csv")
    rows = [row.split("\t") for row in page.locator(".splits tbody tr").all_inner_texts()]
    assert rows[-2] == ["all", *(str(sum(r.split == s for r in records)) for s in ("train", "val", "test"))]
    assert rows[-1][0] == "groups"
    assert sum(map(int, rows[-1][1:])) == len({record.group for record in records})


def test_a_model_that_is_fitted_once_has_no_learning_curves(open_page, tmp_path):
    path = write(tmp_path, predicted(CLASSES), history=None)
    page = open_page(path)
    assert page.locator(".chart").count() == 0
    assert "Learning curves" not in page.inner_text("body")
    assert page.locator(".reliability rect").count() > 2


def test_names_are_shown_as_they_are_and_run_nothing(open_page, tmp_path):
    names = tuple(f"{text}{i}" for i, text in enumerate(HOSTILE))
    path = write(
        tmp_path, predicted(names), experiment=HOSTILE[0], config=f"monitor: {json.dumps(HOSTILE[1])}"
    )
    page = open_page(path)
    assert page.title() == f"{HOSTILE[0]}, version_3: test report"
    shown = [" ".join(text.split()) for text in page.locator(".classes tbody th").all_text_contents()]
    assert shown == [" ".join(name.split()) for name in names]


@pytest.mark.parametrize("width", [390, 1280])
def test_many_classes_fit_on_the_page(open_page, tmp_path, width):
    names = tuple(f"forehand topspin number {i}" for i in range(21))
    page = open_page(write(tmp_path, predicted(names, 210)), width=width)
    scroll, inner = widths(page)
    assert scroll <= inner
    assert page.locator(".confusion td").count() == 21 * 21
    heights = page.locator(".confusion tbody tr").evaluate_all("rows => rows.map(row => row.offsetHeight)")
    assert max(heights) < 100  # no name is broken letter by letter


def test_clips_without_a_group_are_remarked_on(open_page, tmp_path):
    page = open_page(write(tmp_path / "alone", predicted(CLASSES)))
    assert "the same players may be in the training set and in the test set" in page.inner_text(".remark")
    assert "bootstrap over clips" in page.inner_text("header")
    groups = tuple(f"player {i % 12}" for i in range(40))
    page = open_page(write(tmp_path / "grouped", predicted(CLASSES, groups=groups)))
    assert page.locator(".remark").count() == 0
    assert "bootstrap over the 12 groups" in page.inner_text("header")


def test_the_result_in_sentences_counted_by_hand():
    predictions = Predictions(
        ("a", "b"),
        tuple("123456"),
        np.array([0, 0, 0, 0, 1, 1]),
        np.array([[0.9, 0.1], [0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.3, 0.7]]),
        (np.zeros(2, int),) * 6,
        0.5,
    )
    assert describe_result(measure(predictions), predictions, 0.125, None) == [
        "5 of 6 test clips are classified correctly. Always predicting the most frequent class, a, would be "
        "correct for 67%.",
        "Highest accuracy: b (1.00 [0.16, 1.00] on 2 clips). Lowest: a (0.75 [0.25, 1.00] on 4 clips).",
        "Most frequent confusion: a predicted as b (1 of 4 clips).",
        "Mean confidence: 0.77, 0.07 below the accuracy (expected calibration error 0.12).",
    ]


def test_precision_and_f1_of_a_class_are_shown(open_page, tmp_path):
    predictions = predicted(CLASSES)
    page = open_page(write(tmp_path, predictions))
    scores = class_scores(predictions.confusion)
    rows = [row.split("\t") for row in page.locator(".classes tbody tr").all_inner_texts()]
    assert [row[3:5] for row in rows] == [
        [f"{precision:.2f}", f"{f1:.2f}"] for precision, f1 in zip(scores.precision, scores.f1, strict=True)
    ]


def test_splits_are_counted_by_hand():
    assert count_splits(facts().records) == [
        *(SplitRow(name, [1, 0, 1]) for name in CLASSES),
        SplitRow("all", [4, 0, 4]),
        SplitRow("groups", [4, 0, 4]),
    ]
