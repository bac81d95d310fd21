"""Typical values of reference strokes for each cause, and how much a stroke deviates from them."""

from collections.abc import Sequence

import numpy as np

from tt_actions.coach.measures import Measure

_FAR = 4.0  # spreads from the middle; scores are clipped there before their correlation is estimated


class Yardstick:
    """The typical values of the measures of some strokes: their middle, spread and correlation.

    The middle is the median. The spread is the width of the middle 90 %, scaled to the standard deviation of
    a normal distribution. The measures of one cause, in units of their spread, are added up to one number of
    unit spread: the *score* of the cause. Signs make all of them count the same fault in the same direction.
    The correlation of the scores is shrunk by the share of Ledoit and Wolf (2004), because a few strokes
    can't determine it.

    Args:
        values: Values of the measures, one row per stroke.
        measures: The measures, in the order of the columns.

    Attributes:
        causes: Names of the causes, in the order of the scores.

    Shape:
        values ``(N, M)``.
    """

    def __init__(self, values: np.ndarray, measures: Sequence[Measure]) -> None:
        counted = [m for m in measures if m.cause and m.counts]
        self.causes = tuple(dict.fromkeys(measure.cause for measure in counted))
        self.middle = np.median(values, axis=0)
        inner = np.quantile(values, 0.95, axis=0) - np.quantile(values, 0.05, axis=0)
        self.spread = np.maximum(np.maximum(inner / 3.29, 0.8 * values.std(0)), 1e-6)
        self.weights = np.array(
            [[m.sign * (m in counted and m.cause == cause) for m in measures] for cause in self.causes]
        )
        scores = (values - self.middle) / self.spread @ self.weights.T
        self.score_middle = np.median(scores, axis=0)
        deviation = 1.48 * np.median(np.abs(scores - self.score_middle), axis=0)
        self.score_spread = np.maximum(np.maximum(deviation, 0.9 * scores.std(0)), 1e-6)
        self.correlation = shrink_covariance(np.clip(self.score(values), -_FAR, _FAR))

    def score(self, values: np.ndarray) -> np.ndarray:
        """Return the score of each cause: 0 is the middle, 1 is one spread.

        Args:
            values: The measures of one or several strokes.

        Shape:
            ``(..., M)`` -> ``(..., K)``.
        """
        scores = (values - self.middle) / self.spread @ self.weights.T
        return np.asarray((scores - self.score_middle) / self.score_spread)

    def unexpected(self, scores: np.ndarray, among: Sequence[int]) -> np.ndarray:
        """Return how far each score is from its prediction from the others, in residual standard deviations.

        Args:
            scores: Scores of one stroke.
            among: Indices of the causes to use.

        Returns:
            Conditional deviations; 0 for causes that are not used.

        Shape:
            scores ``(K,)`` -> the same.
        """
        kept = list(among)
        precision = np.linalg.inv(self.correlation[np.ix_(kept, kept)])
        deviations = np.zeros_like(scores)
        deviations[kept] = precision @ scores[kept] / np.sqrt(np.diag(precision))
        return deviations


def shrink_covariance(z: np.ndarray) -> np.ndarray:
    """Estimate a covariance matrix, shrunk towards a multiple of the identity.

    The share of that target is Ledoit and Wolf's (2004), but at least 1 / N, because few samples give a
    matrix of low rank.

    Args:
        z: The samples, one per row.

    Shape:
        ``(N, M)`` -> ``(M, M)``.
    """
    from sklearn import covariance  # slow to load

    share = max(covariance.ledoit_wolf_shrinkage(z), 1 / len(z))
    return np.asarray(covariance.shrunk_covariance(covariance.empirical_covariance(z), share))
