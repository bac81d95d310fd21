"""Measure the errors of the pose model on drawn video, and compare those that ``SyntheticSkeletons`` draws.

    python benchmarks/measure_pose_errors.py --out DIR [--clips 600] [--seed 100] [--quick]

Table tennis is drawn from all sides, and the pose model finds the joints, smoothed as for a network.
Positions are relative to the hips, in trunk lengths, along the axes of the camera: across, down and in depth.
``constant`` is the standard deviation over the clips of a joint's median error in a clip. ``changing`` is
that of the rest, estimated by the 68th percentile of its size. The drawn errors are those of strength 1 on
the same clips.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from rich.console import Console

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.pose_spec import PoseSpec
from tt_actions.clips.records import ClipRecord
from tt_actions.evaluation.tables import Table
from tt_actions.pose.joints import joints_of
from tt_actions.skeleton.layouts import NTU25
from tt_actions.skeleton.normalise import centre_of, trunk_length
from tt_actions.sources import DrawnSwings
from tt_actions.sources.synthetic.camera import view_of
from tt_actions.sources.synthetic.motion import FPS
from tt_actions.sources.synthetic.pose_errors import find_joints

JOINTS = ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
FROM_CAMERA = np.array([-1, -1, 1])
"""Factors from the axes of a camera (right, down, ahead) to those of a joint sequence."""


def relative(joints: np.ndarray) -> np.ndarray:
    """Return joints ``(T, 25, 3)`` relative to the hips, in trunk lengths."""
    return np.asarray((joints - centre_of(joints, NTU25)[:, None]) / trunk_length(joints, NTU25))


def errors_of(record: ClipRecord, cache: FrameCache, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the errors ``(T, 25, 3)`` of the pose model in a clip, and drawn ones."""
    landmarks = np.array(cache.frames(record, PoseSpec(FPS)))
    first = int(record.start_s * FPS + 1e-6)
    with np.load(record.path.with_suffix(".npz")) as truth:
        frames = slice(first, first + len(landmarks))
        joints, still = truth["joints_3d"][frames].astype(float), truth["camera"][first]
    to_camera = view_of(still).T * FROM_CAMERA
    true = relative(joints @ to_camera)
    found = relative(joints_of(landmarks, NTU25)[: len(joints)])
    drawn = relative(find_joints(np.random.default_rng(seed), joints, still, strength=1.0) @ to_camera)
    return found - true, drawn - true


def sizes(errors: list[np.ndarray], joint: str) -> np.ndarray:
    """Return the constant and the changing error of a joint, ``(2, 3)``."""
    indices = [
        NTU25.index(name)
        for name in NTU25.joints
        if name.removeprefix("left_").removeprefix("right_") == joint
    ]
    constant, changing = [], []
    for error in errors:
        own = error[~np.isnan(error).any((1, 2))][:, indices]
        constant.append(np.median(own, axis=0))
        changing.append(np.abs(own - constant[-1]).reshape(-1, 3))
    spread = np.std(constant, axis=0).mean(0)
    return np.stack([spread, np.percentile(np.concatenate(changing), 68, axis=0)])


def main() -> None:
    """Measure, print the table and write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for clips, joints and table")
    parser.add_argument("--clips", type=int, default=600, help="number of drawn clips")
    parser.add_argument("--seed", type=int, default=100, help="random seed")
    parser.add_argument("--quick", action="store_true", help="a smoke test with four clips")
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    num, players = (4, 2) if options.quick else (options.clips, max(2, options.clips // 4))
    source = DrawnSwings(options.out / "clips", clips=num, players=players, seed=options.seed)
    source.prepare()
    records, cache = source.records(), FrameCache(options.out / "cache")
    cache.build(records, PoseSpec(FPS))
    pairs = [errors_of(record, cache, index) for index, record in enumerate(records)]
    lines, numbers = [], []
    for joint in JOINTS:
        line = [joint]
        for who, errors in zip(("pose model", "drawn"), zip(*pairs, strict=True), strict=True):
            both = sizes(list(errors), joint)
            line += [" ".join(f"{size:.2f}" for size in row) for row in both]
            numbers += [
                {"joint": joint, "errors": who, "kind": kind, **dict(zip("xyz", row.tolist(), strict=True))}
                for kind, row in zip(("constant", "changing"), both, strict=True)
            ]
        lines.append(line)
    heads = [f"{kind}, {who}" for who in ("pose model", "drawn") for kind in ("constant", "changing")]
    table = Table(
        f"errors of the pose model on {len(records)} drawn clips, in trunk lengths",
        ["joint", *heads],
        lines,
        numbers,
        ["Across, down, in depth."],
        ["benchmarks/measure_pose_errors.py"],
    )
    table.show(Console())
    table.write(options.out / "pose_errors")


if __name__ == "__main__":
    main()
