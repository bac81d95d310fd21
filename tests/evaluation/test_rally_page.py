"""The page of a run on untrimmed recordings, in a real browser, and the intervals of its frame accuracy."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from tt_actions.clips.strokes import Stroke
from tt_actions.clips.timing import StrokeTiming
from tt_actions.evaluation.rally_page import Style, draw_timelines
from tt_actions.evaluation.rally_report import (
    COLUMNS,
    Recording,
    find_strokes,
    measure_recordings,
    print_rally_report,
    write_rally_report,
)
from tt_actions.evaluation.segment_metrics import frame_metrics, measure_strokes
from tt_actions.evaluation.significance import bootstrap_interval
from tt_actions.recognition.segmenter import Segmenter

NAMES = ("serve", "idle")


@pytest.fixture
def segmenter():
    counts, shortest = np.ones(2), np.ones(2, int)
    timing = StrokeTiming(NAMES, 10.0, counts, counts, np.ones((2, 2)), shortest, counts, 0.5 * counts)
    return Segmenter(timing, "argmax")


def recording(labels, predicted, group=None):
    log_probs = np.log(np.where(np.eye(2, dtype=bool)[predicted], 0.9, 0.1))
    return Recording(log_probs, None, np.array(labels), (Stroke("serve", 0.0, 0.2),), group)


def some_recordings(num, groups=None):
    rng = np.random.default_rng(0)
    return {
        f"{i}.mp4": recording(*rng.integers(0, 2, (2, 10 + 5 * i)), None if groups is None else groups[i])
        for i in range(num)
    }


@pytest.mark.parametrize("groups", [None, ["p", "p", "q", "q", "r", "r"]])
def test_the_interval_of_the_frame_accuracy_is_over_recordings_or_groups(segmenter, groups):
    recordings = some_recordings(6, groups)
    frames = measure_recordings(recordings, {"argmax": segmenter})["argmax"]["frames"]
    right = np.array([(r.log_probs.argmax(1) == r.labels).sum() for r in recordings.values()])
    total = np.array([len(r.labels) for r in recordings.values()])
    expected = bootstrap_interval(lambda counts: (counts @ right) / (counts @ total), 6, groups=groups)
    assert [frames["accuracy_low"], frames["accuracy_high"]] == pytest.approx(expected)
    assert frames["accuracy_low"] < frames["accuracy"] < frames["accuracy_high"]


def test_a_single_recording_has_no_interval(segmenter, tmp_path):
    recordings = some_recordings(1)
    frames = measure_recordings(recordings, {"argmax": segmenter})["argmax"]["frames"]
    assert math.isnan(frames["accuracy_low"])
    metrics = write_rally_report(tmp_path, recordings, {"argmax": segmenter}, {}, 0.5, None, None)
    assert metrics["interval_by"] is None
    assert "interval" not in printed(metrics)


def printed(metrics):
    console = Console(file=io.StringIO(), width=80)
    print_rally_report(metrics, console)
    return console.file.getvalue()


def test_a_frame_accuracy_is_printed_with_its_interval(segmenter, tmp_path):
    recordings = some_recordings(6)
    metrics = write_rally_report(tmp_path, recordings, {"argmax": segmenter}, {}, 0.5, None, None)
    frames = metrics["segmentation"]["argmax"]["frames"]
    text = printed(metrics)
    assert "Test on 6 recordings" in text
    [above, below] = [line.split() for line in text.splitlines() if "[" in line or line.strip().endswith("]")]
    assert (above[0], below[0]) == (f"[{frames['accuracy_low']:.2f},", f"{frames['accuracy_high']:.2f}]")
    numbers = next(line for line in text.splitlines() if line.strip().startswith("argmax")).split()[1:]
    assert len(numbers) == len(COLUMNS)
    assert {len(number) for number in numbers if number != "-"} == {len("0.000")}, text
    assert f"{frames['accuracy']:.3f}" in text
    assert max(map(len, text.splitlines())) <= 80
    assert "bootstrap over recordings" in " ".join(text.split())


@pytest.mark.parametrize("groups", [None, ["p", "p", "q", "q", "r", "r"]])
def test_intervals_of_strokes_are_the_quantiles_of_resampled_recordings(segmenter, groups):
    """Against resamples that are drawn one by one and measured as a whole."""
    recordings = some_recordings(6, groups)
    measured = measure_recordings(recordings, {"argmax": segmenter})["argmax"]
    found, classes = find_strokes(recordings, segmenter)
    names, labels = list(recordings), {name: recording.labels for name, recording in recordings.items()}
    units = np.arange(6) if groups is None else np.unique(groups, return_inverse=True)[1]
    num_units = units.max() + 1
    values = {"f1_50": [], "edit": [], "matched": [], "classes": []}
    draws = np.random.default_rng(0).multinomial(num_units, np.full(num_units, 1 / num_units), size=2000)
    for draw in draws[:, units]:
        own = [f"{name}#{i}" for name, number in zip(names, draw, strict=True) for i in range(number)]
        bare = [name.partition("#")[0] for name in own]
        scores = measure_strokes(
            {name: found[b] for name, b in zip(own, bare, strict=True)},
            {name: recordings[b].strokes for name, b in zip(own, bare, strict=True)},
            ["serve", "idle"],
            10.0,
        )
        frames = (np.concatenate([of[b] for b in bare]) for of in (classes, labels))
        values["f1_50"].append(scores["f1"]["0.50"]["f1"])
        values["edit"].append(scores["edit_score"])
        values["matched"].append(scores["matched"]["class_accuracy"])
        values["classes"].append(frame_metrics(*frames, ["serve", "idle"])["mean_class_accuracy"])
    for key, drawn in values.items():
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        ends = [measured["intervals"][f"{key}_{end}"] for end in ("low", "high")]
        if high - low < 1e-9:
            assert np.isnan(ends).all()
        else:
            assert ends == pytest.approx([low, high])
            assert key != "matched"


def test_timelines_counted_by_hand():
    recordings = {"a/b.mp4": recording([0] * 20, [0] * 20)}
    [line] = draw_timelines(recordings, {"a/b.mp4": [Stroke("serve", 1.0, 1.5)]}, [Style(0, "serve")], 10.0)
    assert (line.name, line.duration_s) == ("b.mp4", 2.0)
    assert [bar[:4] for bar in line.bars] == [(0, 0.0, 100.0, 0), (0, 500.0, 250.0, 24)]
    assert line.bars[1].title == "found: serve, 1.00 to 1.50 s"


@pytest.mark.parametrize("width", [390, 1280])
def test_a_training_on_recordings_writes_a_page(rally_run, visits, width):
    report = rally_run / "report"
    metrics = json.loads((report / "metrics.json").read_text("utf-8"))
    page = visits.open((report / "index.html").as_uri(), width=width)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    body = page.inner_text("body")
    for method, measured in metrics["segmentation"].items():
        row = page.locator("tbody tr", has_text=method).first.inner_text()
        assert f"{measured['frames']['accuracy']:.3f}" in row
    used = metrics["segmentation"][metrics["used"]]
    assert page.locator(".timeline").count() == used["num_recordings"]
    drawn = page.locator('.timeline rect[y="0"][class^="k"]').count()
    assert drawn == used["num_true"]
    assert page.locator(".chart").count() >= 2
    assert "SyntheticRallies" in body
    visits.close()
    assert visits.said == []
