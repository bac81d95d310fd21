"""Measure whether explanations show what a model uses, by greying out the hottest pixels of test clips.

Run as ``python benchmarks/measure_explanations.py RUN MANIFEST`` with a run directory and the manifest that
it was trained on. For each method, the script prints in how many clips nothing supports the predicted class,
and by how much the mean log-odds of this class falls when the hottest fifth of the pixels gets the mean
colour of the frame. For comparison, it does the same with heat that is shuffled over the clip.
"""

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import torch

from tt_actions.clips.manifest import read_manifest
from tt_actions.evaluation.explain import PIXEL_METHODS, explain
from tt_actions.evaluation.occlusion import log_odds
from tt_actions.recognition.loading import load
from tt_actions.recognition.recognizer import Recognizer

SHARE = 0.2


def greyed(frames: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Return the frames with the hottest fifth of all pixels in the mean colour of their frame."""
    size = frames.shape[2:0:-1]
    fine = np.stack([cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR) for coarse in heat])
    hot = fine > np.quantile(fine, 1 - SHARE)
    return np.where(hot[..., None], frames.mean((1, 2), keepdims=True).astype(np.uint8), frames)


@torch.no_grad()
def mean_log_odds(model: Recognizer, frames: np.ndarray, index: int) -> float:
    """Return the log-odds of a class, averaged over the frames."""
    clip = torch.from_numpy(frames).permute(0, 3, 1, 2)[None]
    return log_odds(model(clip, torch.tensor([len(frames)]))[0], index).mean().item()


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory")
    parser.add_argument("manifest", type=Path, help="manifest of the run's clips")
    parser.add_argument("--quick", action="store_true", help="a smoke test on two clips")
    options = parser.parse_args()
    model, rng = load(options.run / "checkpoints" / "best.ckpt"), np.random.default_rng(0)
    with (options.run / "splits.csv").open(newline="", encoding="utf-8") as file:
        test = {Path(row["name"]).name for row in csv.DictReader(file) if row["split"] == "test"}
    records = [record for record in read_manifest(options.manifest) if Path(record.name).name in test]
    records = records[:2] if options.quick else records
    for method in PIXEL_METHODS:
        falls, shuffled = [], []
        for record in records:
            found = explain(model, record.path, record.start_s, record.end_s, record.roi, method=method)
            if not found.heat.any():
                continue
            index = model.class_names.index(found.class_name)
            before = mean_log_odds(model, found.frames, index)
            falls.append(before - mean_log_odds(model, greyed(found.frames, found.heat), index))
            other = rng.permutation(found.heat.ravel()).reshape(found.heat.shape)
            shuffled.append(before - mean_log_odds(model, greyed(found.frames, other), index))
        print(
            f"{method}: nothing in {len(records) - len(falls)} of {len(records)} clips",
            end="; " if falls else "\n",
        )
        if falls:
            print(f"log-odds fall by {np.mean(falls):.2f}, with shuffled heat by {np.mean(shuffled):.2f}")


if __name__ == "__main__":
    main()
