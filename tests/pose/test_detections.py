import numpy as np
import pytest

from tt_actions.pose.detections import SIZE, make_anchors, overlaps, read_detections, sigmoid
from tt_actions.pose.regions import Region

WHOLE = Region(SIZE / 2, SIZE / 2, SIZE)


def raw(boxes):
    """The detector's output for boxes (x0, y0, x1, y1, logit) around the first anchors."""
    anchors = make_anchors()
    values, logits = np.zeros((len(anchors), 12)), np.full(len(anchors), -50.0)
    for i, (x0, y0, x1, y1, logit) in enumerate(boxes):
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2]) - anchors[i] * SIZE
        values[i, :4] = (*centre, x1 - x0, y1 - y0)
        values[i, 4:6] = centre
        values[i, 6:8] = centre - (0, y1 - y0)
        logits[i] = logit
    return values, logits, anchors


def test_anchors_cover_the_picture_in_three_grids():
    anchors = make_anchors()
    assert anchors[0].tolist() == anchors[1].tolist() == [4 / SIZE, 4 / SIZE]
    assert anchors[2 * 28 * 28].tolist() == [8 / SIZE, 8 / SIZE]
    assert anchors[-1].tolist() == [208 / SIZE, 208 / SIZE]
    assert len(np.unique(anchors, axis=0)) == 28 * 28 + 14 * 14 + 7 * 7


def test_boxes_of_one_person_become_one_with_weights():
    found = read_detections(
        *raw([(10, 10, 50, 50, 2), (14, 10, 54, 50, 0), (120, 80, 180, 140, 1)]), WHOLE, min_score=0.4
    )
    assert [round(one.score, 3) for one in found] == sigmoid(np.array([2.0, 1.0])).round(3).tolist()
    share = 0.5 / (0.5 + found[0].score)
    assert found[0].box == pytest.approx([10 + 4 * share, 10, 50 + 4 * share, 50])
    assert found[0].anchors == pytest.approx(np.array([[30 + 4 * share, 30], [30 + 4 * share, -10]]))


def test_places_are_those_of_the_image_that_the_detector_saw():
    (found,) = read_detections(*raw([(0, 0, 112, 112, 3)]), Region(320, 180, 640), min_score=0.3)
    assert found.box == pytest.approx([0, -140, 320, 180])


def test_what_is_less_certain_is_no_person():
    assert read_detections(*raw([(0, 0, 20, 20, -1)]), WHOLE, min_score=0.3) == []


def test_overlap_is_that_of_counted_pixels():
    rng = np.random.default_rng(0)
    corners = np.sort(rng.integers(0, 30, (20, 2, 2)), axis=1).reshape(20, 4)
    corners[:, 2:] += 1
    masks = np.zeros((20, 32, 32), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, corners, strict=True):
        mask[y0:y1, x0:x1] = True
    expected = [(masks[0] & mask).sum() / (masks[0] | mask).sum() for mask in masks]
    assert overlaps(corners[0].astype(float), corners.astype(float)) == pytest.approx(expected)
