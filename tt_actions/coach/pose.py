"""Joints of the player in a video, found by the user's own keypoint model, as a file of joints."""

from pathlib import Path

import numpy as np

from tt_actions.errors import UserError
from tt_actions.files import write_rows
from tt_actions.pose.choice import BUILT_IN, check_pose
from tt_actions.pose.video import POINTS, VISIBILITY, iter_poses
from tt_actions.skeleton.layouts import BLAZEPOSE33, COCO17
from tt_actions.video.info import probe


def find_joints(pose: str, video: Path, out: Path) -> Path:
    """Find the joints of the player in each frame of a video, and write them as CSV.

    Args:
        pose: ``onnx:MODEL``, a model of COCO's keypoints: see
            :class:`tt_actions.pose.keypoints.KeypointModel`.
        video: The video.
        out: The CSV to write: x and y in pixels and a score for each joint, one row per frame; empty cells
            while the player is not found.

    Returns:
        ``out``.

    Raises:
        UserError: If ``pose`` is no such model, or can't be run.
        VideoError: If the video can't be read.
    """
    check_pose(pose)
    if pose == BUILT_IN:
        raise UserError(f"Expected `--pose` to be onnx:MODEL with the path of a model, but got '{pose}'.")
    chosen = [BLAZEPOSE33.index(name) for name in COCO17.joints]
    rows: list[list[float | None]] = []
    for frame in iter_poses(video, probe(video).fps, pose=pose):
        found = frame.poses[0, chosen]
        values = np.column_stack([found[:, POINTS], found[:, VISIBILITY]]).ravel().round(3)
        rows.append([None if np.isnan(value) else float(value) for value in values])
    header = [f"{joint}_{part}" for joint in COCO17.joints for part in ("x", "y", "score")]
    write_rows(out, header, rows)
    return out
