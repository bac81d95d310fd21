"""Measure the quality of silhouettes: intersection over union with the true ones of synthetic strokes.

    python benchmarks/measure_silhouettes.py [--clips 24] [--seed 7] [--pictures silhouettes.png] [--quick]

The intersection over union is averaged over the frames of a clip. The script prints the mean and median over
the clips.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.video.frames import read_frames
from tt_actions.video.silhouette import HEIGHT, segment

FPS = 15
WIDTH = HEIGHT * 3 // 4


class Measured(NamedTuple):
    """Frames of a clip with the computed and the true masks, and the seconds for computing them."""

    frames: np.ndarray
    found: np.ndarray
    true: np.ndarray
    seconds: float

    @property
    def overlap(self) -> float:
        """Intersection over union, averaged over the frames."""
        both, any_of_two = (self.found & self.true).sum((1, 2)), (self.found | self.true).sum((1, 2))
        return float((both / np.maximum(any_of_two, 1)).mean())


def measure(record: ClipRecord, fps: float = FPS) -> Measured:
    """Compute the silhouettes of a clip and read the true ones from the file next to it.

    Args:
        record: A clip of `tt-actions synth --silhouettes`.
        fps: Frames per second.
    """
    frames, times_s = read_frames(record.path, fps=fps, size=(HEIGHT, WIDTH), roi=record.roi)
    begun_s = time.perf_counter()
    found = segment(frames)
    seconds = time.perf_counter() - begun_s
    assert record.roi is not None
    x0, y0, x1, y1 = record.roi
    with np.load(record.path.with_suffix(".npz")) as truth:
        shown = ((times_s + 1e-3) * truth["fps"]).astype(int)
        outlines = truth["silhouettes"][shown.clip(max=len(truth["silhouettes"]) - 1), y0:y1, x0:x1]
    size = (WIDTH, HEIGHT)
    true = [cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5 for one in outlines]
    return Measured(frames, found, np.stack(true), seconds)


def draw(measured: Measured, num_frames: int = 6) -> np.ndarray:
    """Draw frames of a clip in a row, with the computed outline in red and the true one in green.

    Args:
        measured: The clip.
        num_frames: Number of frames.
    """
    row = []
    for i in np.linspace(0, len(measured.frames) - 1, num_frames).astype(int):
        picture = measured.frames[i].copy()
        for mask, colour in ((measured.found[i], (255, 0, 0)), (measured.true[i], (0, 255, 0))):
            outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(picture, outlines, -1, colour, 1)
        row.append(picture)
    return np.hstack(row)


def main() -> None:
    """Print the overlap of each clip, its mean and median, and the time per frame."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--quick", action="store_true", help="a smoke test on few frames of one clip")
    options = parser.parse_args()
    num_clips, fps = (1, 2) if options.quick else (options.clips, FPS)
    rows, overlaps, seconds, num_frames = [], [], 0.0, 0
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        synthesize(out, num_clips, max(2, num_clips // 2), options.seed, silhouettes=True)
        for record in read_manifest(out / "manifest.csv"):
            measured = measure(record, fps)
            overlaps.append(measured.overlap)
            seconds, num_frames = seconds + measured.seconds, num_frames + len(measured.frames)
            print(f"{record.path.stem}: {measured.overlap:.3f}")
            rows.append(draw(measured))
    print(
        f"{len(overlaps)} clips: mean IoU {np.mean(overlaps):.3f}, median {np.median(overlaps):.3f}, ", end=""
    )
    print(f"{1000 * seconds / num_frames:.0f} ms per frame")
    if options.pictures:
        cv2.imwrite(str(options.pictures), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
