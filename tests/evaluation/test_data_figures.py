"""Figure of a dataset: the number of clips by class and split."""

from pathlib import Path

import matplotlib as mpl
import pytest

from tt_actions.clips.records import ClipRecord
from tt_actions.evaluation.bars import counts_figure

CLIPS = [
    ClipRecord(Path("1.mp4"), "serve", group="a", split="train"),
    ClipRecord(Path("2.mp4"), "serve", group="b", split="train"),
    ClipRecord(Path("3.mp4"), "smash", group="b", split="train"),
    ClipRecord(Path("4.mp4"), "smash", group="c", split="test"),
]


def drawn_texts(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_clips_are_counted_by_class_and_split():
    figure = counts_figure(CLIPS)
    (axes,) = figure.axes
    train, test = axes.containers
    assert [(bar.get_x(), bar.get_width()) for bar in train] == [(0, 2), (0, 1)]
    assert [(bar.get_x(), bar.get_width()) for bar in test] == [(2, 0), (1, 1)]
    texts = drawn_texts(figure)
    assert {"serve", "smash", "train: 3 clips of 2 groups", "test: 1 clip of 1 group"} <= set(texts)


@pytest.mark.parametrize("num_classes", [1, 30])
def test_clips_without_splits_labels_and_groups_are_counted_too(num_classes):
    clips = [ClipRecord(Path(f"{i}.mp4"), f"class $_{i}") for i in range(num_classes)]
    figure = counts_figure([*clips, ClipRecord(Path("x.mp4"))])
    (bars,) = figure.axes[0].containers
    assert [bar.get_width() for bar in bars] == [1] * (num_classes + 1)
    texts = drawn_texts(figure)
    assert {"(no label)", f"all: {num_classes + 1} clips", "class $_0"} <= set(texts)
