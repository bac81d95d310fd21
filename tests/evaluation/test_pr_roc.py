"""Precision-recall and ROC curves against scikit-learn."""

import numpy as np
import pytest
import sklearn.metrics

from tt_actions.evaluation.pr_roc import class_curves, class_curves_figure, curve_rows


def at_random(num_clips, num_classes, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, num_clips)
    probabilities = rng.dirichlet(np.ones(num_classes), num_clips).round(2)  # some are tied
    return probabilities, labels


@pytest.mark.parametrize("seed", range(5))
def test_curves_and_areas_agree_with_scikit_learn(seed):
    probabilities, labels = at_random(60, 3, seed)
    for index in range(3):
        scores, target = probabilities[:, index], labels == index
        curve = class_curves("pr", probabilities, labels)[index]
        precision, recall, thresholds = sklearn.metrics.precision_recall_curve(target, scores)
        np.testing.assert_allclose(curve.x, recall[::-1], atol=1e-6)
        np.testing.assert_allclose(curve.y, precision[::-1], atol=1e-6)
        np.testing.assert_array_equal(curve.thresholds, [np.inf, *thresholds[::-1]])
        assert curve.area == pytest.approx(sklearn.metrics.average_precision_score(target, scores), abs=1e-6)
        assert curve.share == target.mean()
        curve = class_curves("roc", probabilities, labels)[index]
        fpr, tpr, thresholds = sklearn.metrics.roc_curve(target, scores, drop_intermediate=False)
        np.testing.assert_allclose(curve.x, fpr, atol=1e-6)
        np.testing.assert_allclose(curve.y, tpr, atol=1e-6)
        np.testing.assert_array_equal(curve.thresholds, thresholds)
        assert curve.area == pytest.approx(sklearn.metrics.roc_auc_score(target, scores), abs=1e-6)


def test_a_class_without_clips_has_no_curve_and_one_of_all_clips_no_roc():
    probabilities, labels = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([0, 0])
    all_of_it, nothing = class_curves("pr", probabilities, labels)
    assert all_of_it.area == 1
    assert nothing is None
    assert class_curves("roc", probabilities, labels) == [None, None]
    assert {row[0] for row in curve_rows([all_of_it, nothing], ["a", "b"])} == {"a"}
    for kind in ("pr", "roc"):
        figure = class_curves_figure(kind, class_curves(kind, probabilities, labels), ["_a", "$b$"])
        figure.canvas.draw()
        texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        assert texts == [{"pr": "1.000 (1.00)  _a", "roc": "undefined:  _a"}[kind], "undefined:  $b$"]


def test_probabilities_a_little_above_one_keep_their_order():
    probabilities = np.array([[1 + 1e-9, 0.0], [0.4, 0.6], [0.2, 0.8]])
    curve = class_curves("roc", probabilities, np.array([0, 0, 1]))[0]
    assert curve.area == 1
    assert curve.thresholds.tolist() == [np.inf, 1, 0.4, 0.2]
