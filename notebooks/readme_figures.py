"""Create the README's images: ``.venv/bin/python notebooks/readme_figures.py RUN_DIRECTORY``.

The frames come from the synthetic clips in ``data/synthetic``, the confusion matrix from the run's report.
"""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np

from tt_actions.clips.strokes import STROKES
from tt_actions.video.frames import read_frames

FIGURES = Path(__file__).parent / "figures"
DATA = Path("data/synthetic/clips")
FRAMES = 6
HEIGHT = 150


def draw_strip(video: Path) -> np.ndarray:
    """Return frames of one clip side by side, from the stroke's start to its end."""
    with np.load(video.with_suffix(".npz")) as truth:
        start_s, end_s = float(truth["stroke_start_s"][0]), float(truth["stroke_end_s"][0])
    frames, times_s = read_frames(video)
    shown = np.searchsorted(times_s, np.linspace(start_s, end_s - 0.1, FRAMES)).clip(max=len(frames) - 1)
    width = round(HEIGHT * frames.shape[2] / frames.shape[1])
    strip = [cv2.resize(frames[i], (width, HEIGHT), interpolation=cv2.INTER_AREA) for i in shown]
    cv2.putText(
        strip[0], video.parent.name, (6, 18), cv2.FONT_HERSHEY_DUPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA
    )
    return np.hstack(strip)


def main(run_dir: Path) -> None:
    """Write both images."""
    FIGURES.mkdir(exist_ok=True)
    strips = [draw_strip(sorted((DATA / stroke).glob("*.mp4"))[i]) for i, stroke in enumerate(STROKES)]
    cv2.imwrite(str(FIGURES / "synthetic_clips.png"), np.vstack(strips)[..., ::-1])
    shutil.copyfile(run_dir / "report" / "confusion_matrix.png", FIGURES / "confusion_matrix.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
