"""Figures of one clip: what is drawn where."""

import cv2
import matplotlib as mpl
import numpy as np
import pytest

from tt_actions.evaluation.bars import class_bars
from tt_actions.evaluation.clip_figures import (
    clip_figure,
    flow_colours,
    flow_figure,
    frame_strip,
)
from tt_actions.evaluation.style import write_figure

NAMES = ["serve", "_other $x", "发球"]


def drawn_clip(num_frames, num_classes=3):
    rng = np.random.default_rng(num_frames)
    frames = rng.integers(0, 255, (num_frames, 12, 16, 3)).astype(np.uint8)
    return frames, np.arange(num_frames) / 10, rng.dirichlet(np.ones(num_classes), num_frames)


def drawn_texts(figure):
    figure.canvas.draw()
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


@pytest.mark.parametrize(("num_frames", "num_drawn", "num_cells"), [(1, 1, 8), (9, 9, 16), (40, 16, 16)])
def test_a_strip_shows_the_frames_with_their_times(num_frames, num_drawn, num_cells):
    frames, times_s, _ = drawn_clip(num_frames)
    figure = frame_strip(frames, times_s, title="a clip")
    assert len(figure.axes) == num_cells
    pictures = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert len(pictures) == num_drawn
    np.testing.assert_array_equal(pictures[0], frames[0])
    np.testing.assert_array_equal(pictures[-1], frames[-1])
    texts = drawn_texts(figure)
    assert {"a clip", "0.00 s", f"{times_s[-1]:.2f} s"} <= set(texts)


def test_a_skeleton_lies_over_the_frame_that_it_belongs_to():
    frames, times_s, _ = drawn_clip(3)
    joints = np.arange(3 * 4 * 2, dtype=float).reshape(3, 4, 2)
    joints[1, 0] = np.nan  # not visible
    figure = frame_strip(frames, times_s, joints=joints, bones=[(0, 1), (1, 3)])
    figure.canvas.draw()
    for t, axes in enumerate(figure.axes[:3]):
        (dots,), (bones,) = axes.lines, axes.collections
        np.testing.assert_array_equal(dots.get_xydata(), joints[t])
        drawn = [path.vertices for path in bones.get_paths()]
        np.testing.assert_array_equal(drawn, [joints[t, [0, 1]], joints[t, [1, 3]]])
        assert axes.get_xlim() == (-0.5, 15.5)  # the frame's, though joints lie outside
    assert not any(axes.lines for axes in figure.axes[3:])


def textured(height, width, seed=0):
    """An image in which every part is different from the others."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 2)


@pytest.mark.parametrize("camera", [0, 3])
def test_flow_is_where_a_square_goes_whatever_the_camera_does(camera):
    """A square moves 4 pixels to the right; a moving camera also shifts the frame 3 pixels down."""
    scene, square = textured(120, 160), textured(40, 40, seed=1)
    frames = np.stack([np.roll(scene, camera * t, axis=0) for t in range(3)])
    for t, frame in enumerate(frames):
        frame[40 + camera * t : 80 + camera * t, 50 + 4 * t : 90 + 4 * t] = square
    figure = flow_figure(frames, np.arange(3) / 10, title="a square")
    below = [np.asarray(axes.images[0].get_array()) for axes in figure.axes[9:11]]
    for t, colours in enumerate(below):
        own = colours[50 + camera * t : 70 + camera * t, 60 + 4 * t : 80 + 4 * t].reshape(-1, 3)
        assert np.abs(np.median(own, axis=0) - [255, 0, 0]).max() < 60  # red: to the right
        still = colours[10:30].reshape(-1, 3)
        assert np.median(still, axis=0).min() > 220  # white: no motion
    texts = drawn_texts(figure)
    assert {"a square", "0.10 s"} <= set(texts)
    assert {f"outer edge: {speed} pixels/s" for speed in (39, 40, 41)} & set(texts)


def test_flow_is_as_saturated_as_it_is_fast():
    flow = np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 9.0]])
    slow, fast, faster = flow_colours(flow, fastest=2.0).astype(int)
    assert np.ptp(slow) == pytest.approx(128, abs=1)
    assert np.ptp(fast) == np.ptp(faster) == 255


def test_one_frame_has_no_flow():
    with pytest.raises(ValueError, match="Expected at least two frames, but got 1"):
        flow_figure(np.zeros((1, 8, 8, 3), np.uint8), np.array([0.0]))


def test_a_clip_without_motion_has_no_flow():
    frames = np.repeat(textured(60, 80)[None], 2, axis=0)
    figure = flow_figure(frames, np.array([0.0, 0.1]))
    assert (figure.axes[9].images[0].get_array() > 250).all()


def test_probabilities_are_drawn_over_time_by_class():
    frames, times_s, probabilities = drawn_clip(6)
    figure = clip_figure(frames, times_s, probabilities, NAMES, marked="serve")
    axes = figure.axes[-1]
    for line, expected in zip(axes.lines, probabilities.T, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), times_s)
        np.testing.assert_array_equal(line.get_ydata(), expected)
    assert axes.lines[0].get_linewidth() > axes.lines[1].get_linewidth()
    assert set(NAMES) <= set(drawn_texts(figure))


@pytest.mark.parametrize(("num_frames", "num_classes"), [(1, 2), (16, 4), (40, 30)])
@pytest.mark.filterwarnings("error")
def test_a_clip_of_any_length_and_classes_fits(num_frames, num_classes, tmp_path):
    frames, times_s, probabilities = drawn_clip(num_frames, num_classes)
    names = [f"class {number} $_{{" for number in range(num_classes)]
    figure = clip_figure(frames, times_s, probabilities, names, title="a $ title", marked=names[0])
    write_figure(tmp_path / "clip.png", figure)
    figure.canvas.draw()
    styles = {(line.get_color(), str(line._dash_pattern)) for line in figure.axes[-1].lines}
    assert len(styles) == min(num_classes, 24)


def test_bars_of_classes_leave_out_what_is_not_known():
    row = {"accuracy": 0.5, "temporal_consistency": None, "frame_agreement": 0.25, "support": 4}
    figure = class_bars({"serve": row, "smash": row | {"accuracy": 1.0}}, "a note")
    (axes,) = figure.axes
    assert [bar.get_height() for bar in axes.patches] == [0.5, 1.0, 0, 0, 0.25, 0.25]
    assert {"serve", "smash", "a note", "temporal consistency"} <= set(drawn_texts(figure))
