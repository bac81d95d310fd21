"""The baseline that every model should beat: linear and kernel classifiers on optical-flow statistics.

Run as ``python benchmarks/flow_baseline.py MANIFEST`` to print the test accuracy on the default split of the
data module.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tt_actions.clips.records import ClipRecord
from tt_actions.video.frames import read_frames

SIZE = (60, 80)
FPS = 15.0
GRID = (3, 3)
SEGMENTS = 4
BINS = 8


def flow_features(record: ClipRecord) -> np.ndarray:
    """Return mean speeds and direction histograms of the flow, for each 3x3 cell and quarter of the clip."""
    cv2.setNumThreads(1)
    frames = read_frames(
        record.path, fps=FPS, start_s=record.start_s, end_s=record.end_s, size=SIZE, roi=record.roi
    ).values
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    cells = np.zeros((SEGMENTS, *GRID, BINS + 1))
    rows = np.arange(SIZE[0])[:, None] * GRID[0] // SIZE[0]
    columns = np.arange(SIZE[1])[None] * GRID[1] // SIZE[1]
    num_pairs = max(1, len(grey) - 1)
    for i, (before, after) in enumerate(pairwise(grey)):
        flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.5, 3, 9, 3, 5, 1.1, 0)
        speed, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
        bins = (angle / (2 * np.pi) * BINS).astype(int) % BINS
        segment = i * SEGMENTS // num_pairs
        np.add.at(cells, (segment, rows, columns, bins), speed)
        np.add.at(cells, (segment, rows, columns, BINS), speed)
    cells /= num_pairs * SIZE[0] * SIZE[1]
    return np.log1p(100 * cells).ravel()


def features_of(records: list[ClipRecord], num_workers: int = 2) -> np.ndarray:
    """Return the features of all clips, ``(N, D)``."""
    if num_workers == 1:
        return np.stack([*map(flow_features, records)])
    with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
        return np.stack(list(pool.map(flow_features, records, chunksize=8)))


def fit_and_score(
    train: np.ndarray, train_labels: list[str], groups: list[str], test: np.ndarray, test_labels: list[str]
) -> dict[str, float]:
    """Return the test accuracy of logistic regression and an SVM, tuned by cross-validation."""
    folds = GroupKFold(min(5, len(set(groups))))
    models = {
        "logistic regression": (LogisticRegression(max_iter=2000), {"C": [0.001, 0.01, 0.1, 1.0]}),
        "SVM": (SVC(), {"C": [0.3, 1.0, 3.0, 10.0]}),
    }
    scores = {}
    for name, (model, grid) in models.items():
        step = type(model).__name__.lower()
        search = GridSearchCV(
            make_pipeline(StandardScaler(), model), {f"{step}__{k}": v for k, v in grid.items()}, cv=folds
        )
        search.fit(train, train_labels, groups=groups)
        scores[name] = float(search.score(test, test_labels))
    return scores


def score_records(records: list[ClipRecord], features: np.ndarray) -> dict[str, float]:
    """Return the scores on the splits of the records; validation clips count as training clips."""
    is_test = np.array([record.split == "test" for record in records])
    labels = np.array([record.label for record in records])
    groups = np.array([record.group or str(record.path) for record in records])
    return fit_and_score(
        features[~is_test],
        labels[~is_test].tolist(),
        groups[~is_test].tolist(),
        features[is_test],
        labels[is_test].tolist(),
    )


def main() -> None:
    from tt_actions.clips.manifest import read_manifest
    from tt_actions.clips.splits import split_clips

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--quick", action="store_true", help="a smoke test in one process")
    options = parser.parse_args()
    records = split_clips(read_manifest(options.manifest), 0.15, 0.2, seed=0)
    features = features_of(records, 1 if options.quick else 2)
    for name, accuracy in score_records(records, features).items():
        print(f"{name}: {accuracy:.3f}")


if __name__ == "__main__":
    main()
