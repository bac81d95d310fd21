"""Measure whether hiding what an explanation from joints calls important hurts more than hiding other parts.

For each test clip of a run, the hottest eighth of limbs and frames is hidden, and as much at 16 other places:
the hottest parts, shifted in time and dealt to other limbs.

Usage: .venv/bin/python benchmarks/measure_joint_explanations.py runs/strokes/version_0
"""

import sys
from pathlib import Path

import numpy as np

from tt_actions.clips.records import ClipRecord
from tt_actions.clips.splits import read_split_clips
from tt_actions.evaluation.explain import explain
from tt_actions.evaluation.joint_explanation import JointExplanation, score_hidden
from tt_actions.evaluation.occlusion import log_odds
from tt_actions.recognition.loading import load
from tt_actions.recognition.recognizer import Recognizer

NUM_ELSEWHERE = 16


def measure_clip(model: Recognizer, record: ClipRecord, rng: np.random.Generator) -> tuple[float, float]:
    """Return the fall of the log-odds with the hottest parts hidden, and with as much elsewhere."""
    found = explain(model, record.path, record.start_s, record.end_s, record.roi)
    assert isinstance(found, JointExplanation)
    hot = np.zeros(found.heat.shape)
    hot.flat[found.heat.argsort(None)[-hot.size // 8 :]] = 1
    elsewhere = (
        np.roll(hot, rng.integers(len(hot)), 0)[:, rng.permutation(hot.shape[1])]
        for _ in range(NUM_ELSEWHERE)
    )
    masks = np.zeros((2 + NUM_ELSEWHERE, *found.joints.shape[:2]))  # the first hides nothing
    masks[1:] = [hot, *elsewhere]
    log_probs = score_hidden(model, found.joints, masks, found.clip)
    index = model.class_names.index(found.class_name)
    odds = log_odds(log_probs, index)
    return float(odds[0] - odds[1]), float(odds[0] - odds[2:].mean())


def main() -> None:
    """Print the mean falls, and how often the hottest parts count more."""
    run, rng = Path(sys.argv[1]), np.random.default_rng(0)
    model = load(run / "checkpoints" / "best.ckpt")
    records = [record for record in read_split_clips(run / "splits.csv") if record.split == "test"]
    falls = np.array([measure_clip(model, record, rng) for record in records])
    hot, elsewhere = falls.mean(0)
    more = int((falls[:, 0] > falls[:, 1]).sum())
    sys.stdout.write(
        f"hottest: {hot:.2f}, elsewhere: {elsewhere:.2f}, more in {more} of {len(falls)} clips\n"
    )


if __name__ == "__main__":
    main()
