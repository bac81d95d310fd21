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
    Recording,
    measure_recordings,
    print_rally_report,
    write_rally_report,
)
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
    ends = f"[{frames['accuracy_low']:.2f}, {frames['accuracy_high']:.2f}]"
    assert f"Frame accuracy: argmax {frames['accuracy']:.3f} {ends}." in text
    assert "bootstrap over recordings" in " ".join(text.split())


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
