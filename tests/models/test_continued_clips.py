"""Clips that are not over, continued by what a kernel model of joints knows."""

import pytest
import torch

from tt_actions.models import JointKernel


@pytest.fixture
def fitted():
    """A model of two classes that turn away from each other, so that the mean course is a straight line."""
    course = torch.linspace(0, 1, 31).view(1, 31, 1, 1).expand(4, 31, 3, 20)
    signs = torch.tensor([1.0, -1, 1, -1]).view(4, 1, 1, 1)
    sizes = torch.tensor([0.1, 0.1, 0.2, 0.2]).view(4, 1, 1, 1)
    model = JointKernel(2, "kinect20").eval()
    model.collect(course + signs * sizes, torch.full((4,), 31), torch.tensor([0, 1, 0, 1]))
    model.solve()
    return model, course[:1]


def test_the_mean_course_is_continued_by_itself(fitted):
    model, course = fitted
    torch.testing.assert_close(model.continue_clips(course[:, :20], 31), course)


def test_a_difference_from_the_mean_course_shrinks_from_the_last_frame_on(fitted):
    model, course = fitted
    apart = (model.continue_clips(course[:, :20] + 0.5, 31) - course)[0, :, 0, 0]
    assert apart[:20] == pytest.approx(0.5)
    assert 0.35 < apart[20] < 0.5
    assert (apart[20:].diff() < 0).all()
    assert apart[30] < 0.05
