"""Figures: their texts and positions, and the history that the curves show."""

import csv
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from matplotlib.font_manager import get_font_names
from pytorch_lightning.callbacks import LearningRateMonitor
from pytorch_lightning.loggers import CSVLogger

from tt_actions.evaluation.bars import Bars, bars_figure
from tt_actions.evaluation.confusion_matrix import confusion_figure
from tt_actions.evaluation.history import read_history
from tt_actions.evaluation.learning_curves import curves_figure
from tt_actions.evaluation.style import FONTS, write_figure, write_figures


def write_history(path: Path, num_epochs: int, columns: tuple[str, ...] = ()) -> Path:
    names = columns or ("lr-Adam", "train/loss", "train/accuracy", "val/loss", "val/accuracy")
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["epoch", "step", *names, "test/loss"])
        writer.writeheader()
        for epoch in range(num_epochs):
            for name in names:  # one row per name, with the other cells blank
                value = {"epoch": epoch} if not name.startswith("lr-") else {}
                writer.writerow({"step": epoch, name: (epoch - 1) ** 2 / 9, **value})
        writer.writerow({"epoch": num_epochs, "step": num_epochs, "test/loss": 0.5})
    return path


class Line(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.line = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        loss = self.line(batch).square().mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: torch.Tensor) -> None:
        self.log("val/loss", 10.0 - self.current_epoch + 0 * batch.mean())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        return [optimizer], [torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)]


@pytest.mark.filterwarnings("ignore:.*does not have many workers")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")  # Lightning 2.6 on torch 2.13
def test_history_of_a_real_training_is_read_by_epoch(tmp_path: Path) -> None:
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=CSVLogger(tmp_path, name=None, version=""),
        callbacks=[LearningRateMonitor()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    data = torch.utils.data.DataLoader(torch.ones(4, 1), batch_size=2)
    trainer.fit(Line(), data, data)
    history = read_history(tmp_path / "metrics.csv")
    assert history["val/loss"] == {1: 10, 2: 9, 3: 8}
    assert history["lr-SGD"] == pytest.approx({1: 0.1, 2: 0.05, 3: 0.025})
    assert list(history["train/loss"]) == [1, 2, 3]


def test_later_rows_of_an_epoch_replace_earlier_ones(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("epoch,step,val/loss\n0,1,3.0\n1,3,nan\n1,3,\n1,3,2.0\n1,4,1.5\n2,5,nan\n")
    assert read_history(path)["val/loss"] == {1: 3.0, 2: 1.5}


def drawn_texts(figure: Any) -> list[str]:
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_curves_mark_the_best_epoch_of_the_monitored_column(tmp_path: Path) -> None:
    highest = curves_figure(write_history(tmp_path / "metrics.csv", num_epochs=3), "val/accuracy")
    assert "best epoch: 1 (highest val/accuracy)" in drawn_texts(highest)
    figure = curves_figure(write_history(tmp_path / "metrics.csv", num_epochs=5))
    texts = drawn_texts(figure)
    assert "best epoch: 2 (lowest val/loss)" in texts
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "accuracy", "learning rate"]
    training = next(line for line in figure.axes[0].lines if line.get_label() == "training")
    assert training.get_xydata().tolist() == [[epoch + 1, (epoch - 1) ** 2 / 9] for epoch in range(5)]


@pytest.mark.parametrize(
    ("num_epochs", "columns"), [(1, ()), (4, ("train/loss",)), (50, ("lr-Adam", "val/loss"))]
)
def test_curves_are_drawn_from_the_available_columns(
    tmp_path: Path, num_epochs: int, columns: tuple[str, ...]
) -> None:
    figure = curves_figure(write_history(tmp_path / "metrics.csv", num_epochs, columns))
    assert ("best epoch" in " ".join(drawn_texts(figure))) == ("train/loss" not in columns)


def test_history_without_training_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="but it contains epoch, step, test/loss"):
        curves_figure(write_history(tmp_path / "metrics.csv", num_epochs=0))


def test_confusion_figure_shows_counts_and_shares() -> None:
    texts = drawn_texts(confusion_figure(np.array([[30, 10], [0, 0]]), ["serve", "smash"]))
    for text in ("30", "75%", "10", "25%", "serve  (40)", "smash  (no clips)"):
        assert text in texts
    assert "30 of 40 clips correct: accuracy 0.750" in texts


def test_confusion_figure_tells_the_interval_and_what_is_counted() -> None:
    figure = confusion_figure(
        np.array([[30, 10], [0, 0]]), ["serve", "idle"], interval="[0.6, 0.9]", unit="frames"
    )
    texts = drawn_texts(figure)
    assert "30 of 40 frames correct: accuracy 0.750 [0.6, 0.9]" in texts
    assert not any("clips" in text for text in texts)


def test_confusion_figure_shares_out_columns_too() -> None:
    texts = drawn_texts(confusion_figure(np.array([[30, 0], [10, 0]]), ["serve", "smash"], "predicted"))
    for text in ("30", "75%", "10", "25%", "serve", "serve\n(40)", "smash\n(no clips)"):
        assert text in texts
    assert "30 of 40 clips correct: accuracy 0.750" in texts


def test_class_names_are_written_in_the_installed_fonts_for_their_letters() -> None:
    axes = confusion_figure(np.eye(2, dtype=int), ["发球", "正手"]).axes[0]
    assert set(FONTS[1:]) <= set(get_font_names())
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        assert label.get_fontfamily() == FONTS


@pytest.mark.parametrize("shares_of", ["true", "predicted"])
@pytest.mark.parametrize("num_classes", [2, 12, 20])
def test_confusion_figure_takes_many_and_strange_names(
    num_classes: int, shares_of: Any, tmp_path: Path
) -> None:
    names = ["x" * 90, "chop $_{", *(f"smash number_{i} from behind the table" for i in range(18))]
    figure = confusion_figure(np.eye(num_classes, dtype=int), names[:num_classes], shares_of)
    figure.savefig(
        tmp_path / "figure.png", dpi=40
    )  # a layout that does not fit warns, and warnings are errors
    cells, labels = figure.axes[0].get_window_extent(), figure.axes[0].get_yticklabels()
    assert cells.width > 0.3 * figure.bbox.width
    assert all(label.get_window_extent().x0 >= 0 for label in labels)


def test_bars_are_measured_values_and_published_ones_are_no_bars(tmp_path: Path) -> None:
    first = Bars("a", [0.5, 0.25], [(0.4, 0.6), None], [0.9, None])
    second = Bars("b", [0.75, None], [(0.7, 0.8), None], [None, None])
    figure = bars_figure(["x", "y"], [first, second], "title", "note")
    (axes,) = figure.axes
    assert [patch.get_height() for patch in axes.patches] == [0.5, 0.25, 0.75, 0]
    diamonds = [line for line in axes.lines if line.get_marker() == "D" and len(line.get_ydata())]
    assert [list(line.get_ydata()) for line in diamonds] == [[0.9]]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "a",
        "b",
        "published (private data)",
    ]
    write_figure(tmp_path / "1.svg", figure)
    write_figure(tmp_path / "2.svg", bars_figure(["x", "y"], [first, second], "title", "note"))
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


def test_a_figure_in_fewer_formats_leaves_no_earlier_one(tmp_path):
    figure = confusion_figure(np.eye(2, dtype=int), ["a", "b"])
    write_figures(tmp_path / "matrix", figure)
    (tmp_path / "matrix.csv").touch()
    write_figures(tmp_path / "matrix", figure, ("png",))
    assert {path.name for path in tmp_path.iterdir()} == {"matrix.png", "matrix.csv"}
