"""Figures for papers: formats, the same bytes each time, and readable without colours."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from tt_actions.evaluation.bars import Bars, bars_figure
from tt_actions.evaluation.clip_report import write_report
from tt_actions.evaluation.learning_curves import curves_figure
from tt_actions.evaluation.pr_roc import class_curves_figure
from tt_actions.evaluation.predictions import Predictions
from tt_actions.evaluation.style import HATCHES, write_figures

CLASSES = ("serve", "forehand", "backhand", "smash")


def at_random(num_clips):
    rng = np.random.default_rng(0)
    return Predictions(
        CLASSES,
        tuple(f"{clip}.mp4" for clip in range(num_clips)),
        rng.integers(0, 4, num_clips),
        rng.dirichlet(np.ones(4), num_clips),
        (np.zeros(3, int),) * num_clips,
        0.5,
    )


def write_history(path):
    rows = [f"{epoch},{epoch},{1 / (epoch + 1)},{2 / (epoch + 1)}" for epoch in range(20)]
    path.write_text("\n".join(["epoch,step,train/loss,val/loss", *rows]))
    return path


def bars(count):
    return [Bars(f"model {n}", [0.5, 0.7], [None, None], [None, None]) for n in range(count)]


def test_a_report_has_its_figures_in_the_wanted_formats(tmp_path):
    history = write_history(tmp_path / "metrics.csv")
    write_report(tmp_path / "all", at_random(9), {}, history, formats=("png", "pdf", "svg"))
    write_report(tmp_path / "png", at_random(9), {}, history)
    for name in ("confusion_matrix", "curves", "pr_curves", "roc_curves"):
        assert (tmp_path / "all" / f"{name}.pdf").read_bytes().startswith(b"%PDF-")
        assert "<svg" in (tmp_path / "all" / f"{name}.svg").read_text("utf-8")
        assert (tmp_path / "all" / f"{name}.png").stat().st_size > 1000
    assert not [*(tmp_path / "png").glob("*.pdf"), *(tmp_path / "png").glob("*.svg")]


def test_the_same_figure_has_the_same_bytes_and_whole_fonts(tmp_path):
    for number in (1, 2):
        write_figures(tmp_path / str(number), bars_figure(["发球 x", "y"], bars(2), "title", "note"))
    for suffix in ("png", "pdf", "svg"):
        one, two = ((tmp_path / f"{number}.{suffix}").read_bytes() for number in (1, 2))
        assert one == two, suffix
    pdf = (tmp_path / "1.pdf").read_bytes()
    assert b"/Type3" not in pdf
    assert b"/FontFile2" in pdf  # TrueType: journals refuse the bitmaps of Type 3


def lines(figure):
    return [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]


def look(line):
    return line.get_linestyle() + str(line._dash_pattern)


def test_curves_differ_without_colours(tmp_path: Path):
    predictions = at_random(60)
    figure = class_curves_figure("pr", predictions.curves["pr"], CLASSES)
    assert len({look(line) for line in lines(figure)}) == len(CLASSES)
    history = write_history(tmp_path / "metrics.csv")
    training, validation = (line for line in lines(curves_figure(history)) if line.get_label()[0] != "_")
    assert look(training) != look(validation)


def test_bars_differ_without_colours():
    figure = bars_figure(["x", "y"], bars(len(HATCHES)), "title", "note")
    assert len({container[0].get_hatch() for container in figure.axes[0].containers}) == len(HATCHES)


def test_the_colours_of_a_confusion_matrix_grow_darker_with_the_share():
    shares = mpl.colormaps["Blues"](np.linspace(0, 1, 20))[:, :3]
    brightness = shares @ [0.299, 0.587, 0.114]
    assert (np.diff(brightness) < 0).all()


@pytest.mark.parametrize("count", [1, 9])
def test_many_series_are_drawn(count, tmp_path):
    write_figures(tmp_path / "bars", bars_figure(["x", "y"], bars(count), "title", "note"), ["pdf"])
    assert (tmp_path / "bars.pdf").stat().st_size > 1000
