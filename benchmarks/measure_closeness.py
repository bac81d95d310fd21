"""Measure the closeness scores of real experts to each other, and of synthetic strokes with known faults.

    python benchmarks/measure_closeness.py [--experts DIR] [--seed 7]

``DIR/<stroke>/pN.txt`` are THETIS skeletons of experts, which are read in place. The strokes of each player
are scored against those of the other players in the same class. Synthetic strokes of forty players,
faultless and with each fault, are scored against eighty other players. The area under the ROC curve shows how
well the score alone distinguishes faulty from faultless strokes.
"""

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from measure_diagnosis import LABELS, draw, read, teach
from sklearn.metrics import roc_auc_score

from tt_actions.coach.closeness import Closeness
from tt_actions.coach.diagnosis import Coach
from tt_actions.coach.references import MIN_REFERENCES, make_references
from tt_actions.coach.stroke import read_candidates
from tt_actions.skeleton.layouts import THETIS15
from tt_actions.sources.synthetic.faults import FAULTS, SIZES

FPS = 30.0


class Plan(NamedTuple):
    """Numbers of synthetic players, and the classes and sizes of their faults."""

    references: int = 80
    judged: int = 40
    labels: tuple[str, ...] = LABELS
    sizes: tuple[str, ...] = tuple(SIZES)


QUICK = Plan(10, 2, ("smash",), ("large",))
"""A smoke test of a few seconds; ignore its numbers."""


def measure_experts(folder: Path) -> None:
    """Print the mean score of each expert against the others, and the number of strokes with a finding."""
    scores: defaultdict[str, list[float]] = defaultdict(list)
    found = 0
    for stroke_folder in sorted(path for path in folder.iterdir() if path.is_dir()):
        candidates = {
            path.stem: read_candidates(path, THETIS15, FPS) for path in sorted(stroke_folder.glob("*.txt"))
        }
        if len(candidates) <= MIN_REFERENCES:
            print(f"{stroke_folder.name}: {len(candidates)} strokes are too few")
            continue
        for player, own in candidates.items():
            others = [name for name in candidates if name != player]
            coach = Coach(make_references(stroke_folder.name, [candidates[name] for name in others], others))
            stroke = coach.references.choose(own)
            scores[player].append(Closeness(coach.references).score(stroke))
            found += bool(coach.judge(stroke))
    every = np.concatenate(list(scores.values()))
    for player, own in sorted(scores.items()):
        print(f"{player}: {np.mean(own):.0f} over {len(own)} strokes")
    print(f"all: {every.mean():.0f} +- {every.std():.0f}; with a finding {found} of {len(every)}")


def measure_faults(seed: int, folder: Path, plan: Plan) -> None:
    """Print the mean score of synthetic strokes, and how well it distinguishes faulty from faultless ones."""
    others = range(plan.references, plan.references + plan.judged)
    for label in plan.labels:
        coach = teach(label, plan.references, 1, seed, folder)
        closeness = Closeness(coach.references)

        def score(number: int, fault: str | None = None, size: str = "") -> float:
            motion = draw(label, number, 2, seed, fault, size)  # noqa: B023
            return closeness.score(coach.references.choose(read(motion, folder)))  # noqa: B023

        sound = [score(number) for number in others]
        parts = [f"faultless {np.mean(sound):.0f}"]
        for size in plan.sizes:
            faulty = [
                score(number, fault.name, size)
                for fault in FAULTS.values()
                if label in fault.labels
                for number in others
            ]
            area = roc_auc_score([1] * len(sound) + [0] * len(faulty), sound + faulty)
            parts.append(f"{size} {np.mean(faulty):.0f} (area {area:.2f})")
        print(f"{label}: {', '.join(parts)}", flush=True)


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--experts", type=Path, help="folder of THETIS skeletons of experts")
    parser.add_argument("--seed", type=int, default=7, help="seed of the synthetic strokes")
    parser.add_argument("--quick", action="store_true", help="a smoke test of a few seconds")
    options = parser.parse_args()
    if options.experts:
        measure_experts(options.experts)
    with tempfile.TemporaryDirectory() as folder:
        measure_faults(options.seed, Path(folder), QUICK if options.quick else Plan())


if __name__ == "__main__":
    main()
