"""Measure the quality of silhouettes: intersection over union with the true ones of synthetic strokes.

    python benchmarks/measure_silhouettes.py [--seeds 12 31 47] [--clips 24] [--halls 12]
        [--pictures silhouettes.png] [--quick]

Each seed has halls and players of its own. The intersection over union is averaged over the frames of a clip.
The script prints it for each clip, and a table over all clips: a row for the pose model and one for graph
cut. Both process each clip in turn; the time of a frame contains decoding.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, get_args

import cv2
import numpy as np

from tt_actions.clips.manifest import read_manifest
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.specs import FrameSpec, Silhouettes
from tt_actions.sources.synthetic.generate import synthesize
from tt_actions.sources.synthetic.scene import World
from tt_actions.video.frames import read_frames
from tt_actions.video.silhouette import HEIGHT

FPS = 15
WIDTH = HEIGHT * 3 // 4
LOW = 0.5


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


def measure(record: ClipRecord, silhouettes: Silhouettes = "pose", fps: float = FPS) -> Measured:
    """Compute the silhouettes of a clip and read the true ones from the file next to it.

    Args:
        record: A clip of `tt-actions synth --silhouettes`.
        silhouettes: How to find them.
        fps: Frames per second.
    """
    spec = FrameSpec(fps, (HEIGHT, WIDTH), picture="silhouette", silhouettes=silhouettes)
    begun_s = time.perf_counter()
    found, times_s = spec.read(record.path, roi=record.roi)
    seconds = time.perf_counter() - begun_s
    assert record.roi is not None
    x0, y0, x1, y1 = record.roi
    with np.load(record.path.with_suffix(".npz")) as truth:
        shown = ((times_s + 1e-3) * truth["fps"]).astype(int)
        outlines = truth["silhouettes"][shown.clip(max=len(truth["silhouettes"]) - 1), y0:y1, x0:x1]
    size = (WIDTH, HEIGHT)
    true = [cv2.resize(one.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5 for one in outlines]
    frames = read_frames(record.path, fps=fps, size=(HEIGHT, WIDTH), roi=record.roi).values
    return Measured(frames, found[..., 0] > 127, np.stack(true), seconds)


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


def summarise(overlaps: list[float], seconds: float, num_frames: int) -> str:
    """Return the cells of a row of the table.

    Args:
        overlaps: Overlap of each clip.
        seconds: Seconds for all clips.
        num_frames: Number of frames of all clips.
    """
    return (
        f"{np.mean(overlaps):.3f} | {np.median(overlaps):.3f} | {min(overlaps):.3f} | "
        f"{np.mean(np.array(overlaps) < LOW):.3f} | {seconds / num_frames:.3f} s"
    )


def main() -> None:
    """Print the overlap of each clip, and a table over all clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[12, 31, 47])
    parser.add_argument("--clips", type=int, default=24, help="number of clips for each seed")
    parser.add_argument("--halls", type=int, default=12, help="number of halls for each seed")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--quick", action="store_true", help="a smoke test on few frames of one clip")
    options = parser.parse_args()
    seeds, num_clips, fps = ([7], 1, 2) if options.quick else (options.seeds, options.clips, FPS)
    methods: tuple[Silhouettes, ...] = get_args(Silhouettes)
    overlaps: dict[Silhouettes, list[float]] = {method: [] for method in methods}
    seconds, rows, num_frames = dict.fromkeys(methods, 0.0), [], 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            out, world = Path(folder) / str(seed), World(halls=options.halls)
            out.mkdir()
            synthesize(out, num_clips, max(2, num_clips // 2), seed, silhouettes=True, world=world)
            for record in read_manifest(out / "manifest.csv"):
                for method in methods:
                    measured = measure(record, method, fps)
                    overlaps[method].append(measured.overlap)
                    seconds[method] += measured.seconds
                    rows.append(draw(measured))
                num_frames += len(measured.frames)
                latest = ", ".join(f"{method} {overlaps[method][-1]:.3f}" for method in methods)
                print(f"seed {seed}, {record.path.stem}: {latest}", flush=True)
    print(f"{len(overlaps['pose'])} clips\n")
    print("| silhouettes | mean | median | worst clip | clips below 0.5 | time of a frame |")
    print("| --- | --- | --- | --- | --- | --- |")
    for method in methods:
        print(f"| `{method}` | {summarise(overlaps[method], seconds[method], num_frames)} |")
    if options.pictures:
        cv2.imwrite(str(options.pictures), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
