"""Measure how closely the built-in pose model agrees with MediaPipe itself, and how fast both are.

    python benchmarks/measure_pose.py VIDEO... --mediapipe PYTHON --out DIR [--roi X0,Y0,X1,Y1] [--quick]

A VIDEO may also be a folder, which is searched for videos. PYTHON is the interpreter of an environment with
mediapipe 0.10.21, which needs numpy 1:

    python3.11 -m venv mp && mp/bin/pip install mediapipe==0.10.21

Both read every video alone, one after the other, and decode it themselves; loading the networks does not
count. MediaPipe runs without smoothing, and both with a least probability of a person of 0.3. A distance is
the median over the landmarks of all frames in which both find a person. For it, the built-in model reads the
video again as MediaPipe does, with OpenCV, since another decoder rounds colours differently; how much that
matters is the distance with its own decoder. CPU time depends little on what else the machine does. ``--out``
gets the table as Markdown, CSV and LaTeX.
"""

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from rich.console import Console

from tt_actions.command_line import parse_roi
from tt_actions.evaluation.tables import Table
from tt_actions.pose.tracker import MIN_SCORE
from tt_actions.pose.video import POINTS, WORLD, PlayerPoses, borrow_models, iter_poses
from tt_actions.skeleton.landmarks import TO_CAMERA
from tt_actions.sources.folders import SUFFIXES
from tt_actions.video.info import probe
from tt_actions.video.types import Roi

COLUMNS = {
    "frames": 0,
    "px": 1,
    "px, first frame": 1,
    "mm": 0,
    "px, own decoder": 1,
    "person, ours": 3,
    "person, MediaPipe": 3,
    "same frames": 3,
    "frames/s, ours": 1,
    "frames/s, MediaPipe": 1,
    "CPU ms, ours": 1,
    "CPU ms, MediaPipe": 1,
}
"""Headings of the table, each with its number of decimal places."""

INSIDE = """
import sys, time
import cv2, mediapipe, numpy as np

out, min_score, *roi = sys.argv[1], float(sys.argv[2]), *map(int, sys.argv[3:])
for line in sys.stdin:
    rows = []
    with mediapipe.solutions.pose.Pose(
        model_complexity=1,
        smooth_landmarks=False,
        min_detection_confidence=min_score,
        min_tracking_confidence=min_score,
    ) as model:
        model.process(np.zeros((64, 64, 3), np.uint8))  # loads the networks; there is nobody to follow
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        video = cv2.VideoCapture(line.rstrip("\\n"))
        while True:
            is_read, image = video.read()
            if not is_read:
                break
            if roi:
                image = image[roi[1] : roi[3], roi[0] : roi[2]]
            found = model.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
            row = np.full((33, 5), np.nan)
            if found.pose_landmarks is not None:
                row[:, :2] = [(p.x, p.y) for p in found.pose_landmarks.landmark]
                row[:, :2] = row[:, :2] * image.shape[1::-1] + (roi[:2] or (0, 0))
                row[:, 2:] = [(p.x, p.y, p.z) for p in found.pose_world_landmarks.landmark]
            rows.append(row)
        seconds, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    np.savez(out, poses=np.array(rows), seconds=seconds, cpu_s=cpu_s)
    print("done", flush=True)
"""
"""What runs in the environment of MediaPipe: it reads the path of a video, and writes its landmarks."""


class Run(NamedTuple):
    """The landmarks in each frame of a video, and how long it took to find them.

    Shape:
        points ``(T, 33, 2)``, in pixels, world ``(T, 33, 3)``, in metres; NaN without a person.
    """

    points: np.ndarray
    world: np.ndarray
    seconds: float
    cpu_s: float

    @property
    def has_person(self) -> np.ndarray:
        """Whether a person is found in each frame."""
        return ~np.isnan(self.points[:, 0, 0])


class MediaPipe:
    """MediaPipe in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]", out: Path) -> None:
        self.process, self.out = process, out

    def run(self, video: Path) -> Run:
        """Find the landmarks in a video."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{video.absolute()}\n")
        self.process.stdin.flush()
        if not any(line == "done\n" for line in self.process.stdout):
            raise RuntimeError(
                f"Expected the landmarks of '{video}', but MediaPipe ended. See its output above."
            )
        with np.load(self.out) as found:
            poses = found["poses"]
            return Run(
                poses[..., :2], poses[..., 2:] * TO_CAMERA, float(found["seconds"]), float(found["cpu_s"])
            )


@contextmanager
def open_mediapipe(python: Path, roi: Roi | None) -> Iterator[MediaPipe]:
    """Start MediaPipe in its environment."""
    with tempfile.TemporaryDirectory(prefix="tt_actions-") as folder:
        out = Path(folder) / "poses.npz"
        words = [python, "-c", INSIDE, out, MIN_SCORE, *(roi or ())]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(list(map(str, words)), **pipes) as process:
            yield MediaPipe(process, out)


def run_ours(video: Path, roi: Roi | None) -> Run:
    """Find the landmarks in a video with the built-in model."""
    fps = probe(video).fps
    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    poses = np.stack([frame.poses[0] for frame in iter_poses(video, fps, [roi])]).astype(float)
    seconds, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    return Run(poses[..., POINTS], poses[..., WORLD], seconds, cpu_s)


def run_on_same_pixels(video: Path, roi: Roi | None) -> Run:
    """Find the landmarks in a video as OpenCV decodes it, which is what MediaPipe reads."""
    x0, y0, x1, y1 = roi or (None,) * 4
    rows, reader, begun_s = [], cv2.VideoCapture(str(video)), time.perf_counter()
    with borrow_models(1) as (model,):
        player = PlayerPoses(model, probe(video).fps, roi)
        while True:
            is_read, image = reader.read()
            if not is_read:
                break
            rows.append(player.push(cv2.cvtColor(image[y0:y1, x0:x1], cv2.COLOR_BGR2RGB)))
    poses = np.stack(rows).astype(float)
    return Run(poses[..., POINTS], poses[..., WORLD], time.perf_counter() - begun_s, 0.0)


class Measured(NamedTuple):
    """The runs of a video: ours, MediaPipe's, and ours on the pixels that MediaPipe reads."""

    ours: Run
    theirs: Run
    same: Run


def measure(video: Path, roi: Roi | None, mediapipe: MediaPipe) -> Measured:
    """Find the landmarks in a video in all ways, one after the other."""
    found = Measured(run_ours(video, roi), mediapipe.run(video), run_on_same_pixels(video, roi))
    num = min(len(run.points) for run in found)  # decoders may differ by a frame at the end
    assert max(len(run.points) for run in found) <= num + 1
    return Measured(*(run._replace(points=run.points[:num], world=run.world[:num]) for run in found))


def summarise(videos: list[Measured]) -> list[float]:
    """Return a row of the table from the runs of one or more videos."""
    pixels, own, metres, found = [], [], [], []
    for ours, theirs, same in videos:
        both = same.has_person & theirs.has_person
        pixels.append(np.linalg.norm(same.points - theirs.points, axis=-1)[both])
        metres.append(np.linalg.norm(same.world - theirs.world, axis=-1)[both])
        both = ours.has_person & theirs.has_person
        own.append(np.linalg.norm(ours.points - theirs.points, axis=-1)[both])
        found.append(np.stack([same.has_person, theirs.has_person], 1))
    person = np.concatenate(found)
    timed = [
        (sum(run.seconds for run in runs), sum(run.cpu_s for run in runs))
        for runs in zip(*videos, strict=True)
    ][:2]
    return [
        len(person),
        float(np.median(np.concatenate(pixels))),
        float(np.median(np.concatenate([apart[:1] for apart in pixels]))),
        1000 * float(np.median(np.concatenate(metres))),
        float(np.median(np.concatenate(own))),
        *person.mean(0).tolist(),
        float((person[:, 0] == person[:, 1]).mean()),
        *(len(person) / seconds for seconds, _ in timed),
        *(1000 * cpu_s / len(person) for _, cpu_s in timed),
    ]


def tabulate(found: dict[str, Measured]) -> Table:
    """Make the table from the runs of each video."""
    rows = {name: summarise([runs]) for name, runs in found.items()}
    rows["all"] = summarise(list(found.values()))
    digits = COLUMNS.values()
    return Table(
        "joints, compared with those of MediaPipe",
        ["video", *COLUMNS],
        [[name, *(f"{v:.{n}f}" for v, n in zip(row, digits, strict=True))] for name, row in rows.items()],
        [{"video": name, **dict(zip(COLUMNS, row, strict=True))} for name, row in rows.items()],
        ["px and mm: median distance of a landmark in the picture and in space; CPU ms: CPU time per frame."],
        ["benchmarks/measure_pose.py"],
    )


def list_videos(sources: list[Path]) -> list[Path]:
    """Return the videos themselves, and those in the folders."""
    inside = (
        (p for p in sorted(s.rglob("*")) if p.suffix.lower() in SUFFIXES) for s in sources if s.is_dir()
    )
    return [*(source for source in sources if not source.is_dir()), *(path for one in inside for path in one)]


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path, help="videos, or folders of videos")
    parser.add_argument("--mediapipe", type=Path, required=True, help="python of MediaPipe's environment")
    parser.add_argument("--out", type=Path, required=True, help="folder for the table")
    parser.add_argument("--roi", type=parse_roi, help="the player's region in pixels")
    parser.add_argument("--quick", action="store_true", help="a smoke test on the first video")
    options = parser.parse_args()
    videos = list_videos(options.videos)[: 1 if options.quick else None]
    found: dict[str, Measured] = {}
    with open_mediapipe(options.mediapipe, options.roi) as mediapipe:
        for video in [*([] if options.quick else videos[:1]), *videos]:  # the first time warms up
            found[video.stem] = measure(video, options.roi, mediapipe)
    table = tabulate(found)
    table.show(Console())
    table.write(options.out / "pose")


if __name__ == "__main__":
    main()
