import numpy as np
import pytest

from tt_actions.evaluation.style import write_figures
from tt_actions.studies.seed_curves import seed_curves_figure


def write_run(folder, losses):
    folder.mkdir(parents=True)
    rows = [f"{epoch},{epoch},{loss}" for epoch, loss in enumerate(losses)]
    (folder / "metrics.csv").write_text("\n".join(["epoch,step,val/loss", *rows]) + "\n")
    return folder


def test_lines_are_means_and_bands_deviations_over_the_common_epochs(tmp_path):
    seeds = [write_run(tmp_path / "a" / "0", [3.0, 2.0, 1.0]), write_run(tmp_path / "a" / "1", [5.0, 2.0])]
    one = [write_run(tmp_path / "b" / "0", [4.0, 3.0, 2.0])]
    figure = seed_curves_figure({"a_$b": seeds, "b": one}, ["Made here."])
    (axes,) = figure.axes
    first, second = axes.lines
    assert list(first.get_ydata()) == [4.0, 2.0]
    assert list(second.get_ydata()) == [4.0, 3.0, 2.0]
    assert first.get_linestyle() != second.get_linestyle()
    (band,) = axes.collections  # one seed has no band
    ends = band.get_paths()[0].vertices
    assert ends[:, 1].max() == pytest.approx(4 + np.std([3, 5], ddof=1))
    assert "Made here." in figure.get_supxlabel().replace("\n", " ")
    write_figures(tmp_path / "figure", figure)


def test_models_that_are_fitted_once_have_no_curves(tmp_path):
    assert seed_curves_figure({"a": [write_run(tmp_path / "a", [1.0])], "b": [tmp_path / "none"]}, []) is None
