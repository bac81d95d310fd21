"""What is usual in strokes, cause by cause, and how little a stroke fits it."""

from collections.abc import Sequence

import numpy as np

from tt_actions.coach.measures import Measure

_FAR = 4.0  # spreads from the middle; beyond, a stroke says nothing of how measures go together


class Yardstick:
    """What is usual in the measures of some strokes: their middle, their spread, and how they go together.

    The middle is the median; the spread is that of the middle nine tenths, brought to the standard deviation
    of a normal distribution. Measures of one cause are added up in spreads, each with the sign that tells the
    same fault, to one number of unit spread: the *cause's score*. How the scores go together is their
    correlation, shrunk by the share of Ledoit and Wolf (2004), so that a handful of strokes is no reason to
    believe in it.

    Args:
        values: The measures, a row for each stroke.
        measures: What they are.

    Attributes:
        causes: Names, in the order of the scores.

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
        """Return each cause's score, 0 in the middle and of unit spread.

        Args:
            values: The measures of one stroke or several.

        Shape:
            ``(..., M)`` -> ``(..., K)``.
        """
        scores = (values - self.middle) / self.spread @ self.weights.T
        return np.asarray((scores - self.score_middle) / self.score_spread)

    def unexpected(self, scores: np.ndarray, among: Sequence[int]) -> np.ndarray:
        """Tell how far each score lies from what the others let expect, in spreads of what they leave open.

        Args:
            scores: Of one stroke.
            among: Numbers of the causes that count.

        Returns:
            Conditional deviations; 0 for causes that don't count.

        Shape:
            scores ``(K,)`` -> the same.
        """
        kept = list(among)
        precision = np.linalg.inv(self.correlation[np.ix_(kept, kept)])
        deviations = np.zeros_like(scores)
        deviations[kept] = precision @ scores[kept] / np.sqrt(np.diag(precision))
        return deviations


def shrink_covariance(z: np.ndarray) -> np.ndarray:
    """Estimate a covariance, shrunk towards equal variances without any covariance.

    The share of that target is Ledoit and Wolf's (2004), but at least 1 / N: few cases know a rank too small.

    Args:
        z: A row for each case.

    Shape:
        ``(N, M)`` -> ``(M, M)``.
    """
    from sklearn import covariance  # slow to load

    share = max(covariance.ledoit_wolf_shrinkage(z), 1 / len(z))
    return np.asarray(covariance.shrunk_covariance(covariance.empirical_covariance(z), share))
