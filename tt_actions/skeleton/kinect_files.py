"""Joints in the text files of NTU RGB+D, MSR Action3D and THETIS."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tt_actions.skeleton.layouts import KINECT20, NTU25, THETIS15
from tt_actions.skeleton.sequence import (
    JointSequence,
    missing_where_zero,
    most_moving,
    read_lines,
    read_numbers,
    unreadable_error,
)

_NTU_BODY_FIELDS = 10
_NTU_JOINT_FIELDS = 12
_NTU_FPS = 30.0


def read_ntu(path: Path) -> JointSequence:
    """Read a ``.skeleton`` file of NTU RGB+D; if it has several bodies, the one that moves most is used.

    The file contains the number of frames. Each frame contains the number of bodies. Each body is a line of
    10 fields, the number of joints, and a line of 12 fields for each joint, of which the first three are its
    position in metres. Recordings have 30 frames per second.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file has another format, or contains no body.
    """
    lines = _Lines(path)
    num_frames = lines.count("the number of frames")
    if num_frames > lines.left:
        raise unreadable_error(
            path, lines.number, f"at most {lines.left} frames, one a line", f"{num_frames}"
        )
    bodies: dict[str, np.ndarray] = {}
    num_joints = len(NTU25.joints)
    for frame in range(num_frames):
        for _ in range(lines.count("the number of bodies")):
            line, cells = lines.take("a body")
            if len(cells) != _NTU_BODY_FIELDS:
                raise unreadable_error(path, line, f"{_NTU_BODY_FIELDS} fields of a body", f"{len(cells)}")
            number = lines.count("the number of joints")
            if number != num_joints:
                raise unreadable_error(path, lines.number, f"{num_joints} joints", f"{number}")
            body = bodies.setdefault(cells[0], np.full((num_frames, num_joints, 3), np.nan, np.float32))
            for joint in range(num_joints):
                line, cells = lines.take("a joint")
                body[frame, joint] = read_numbers(path, line, cells[:3], 3)
                if len(cells) != _NTU_JOINT_FIELDS:
                    raise unreadable_error(
                        path, line, f"{_NTU_JOINT_FIELDS} fields of a joint", f"{len(cells)}"
                    )
    lines.end()
    if not bodies:
        raise unreadable_error(path, None, "a body", "none in any frame")
    joints = most_moving(missing_where_zero(np.stack(list(bodies.values()))))
    return JointSequence(joints, NTU25, np.arange(num_frames) / _NTU_FPS)


class _Lines:
    """Reads the lines of a file that are not empty, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        filled = ((i, text.split()) for i, text in enumerate(read_lines(path), 1))
        lines = [(i, cells) for i, cells in filled if cells]
        self.left, self._lines = len(lines), iter(lines)
        self.number = 0

    def take(self, expected: str) -> tuple[int, list[str]]:
        try:
            self.number, cells = next(self._lines)
        except StopIteration:
            raise unreadable_error(
                self.path, self.number, f"{expected} after this line", "the end of the file"
            ) from None
        self.left -= 1
        return self.number, cells

    def count(self, expected: str) -> int:
        line, cells = self.take(expected)
        if len(cells) != 1 or not cells[0].isdecimal() or len(cells[0]) > 9:
            raise unreadable_error(self.path, line, expected, f"'{' '.join(cells)[:80]}'")
        return int(cells[0])

    def end(self) -> None:
        for line, cells in self._lines:
            raise unreadable_error(self.path, line, "the end of the file", f"'{' '.join(cells)[:80]}'")


def read_text(path: Path) -> JointSequence:
    """Read a ``.txt`` file of THETIS, where a line ``FRAME: n`` precedes each frame, or of MSR Action3D.

    THETIS has 15 lines ``x y z`` per frame, in millimetres. MSR Action3D has 20 lines ``x y z confidence``
    per frame, in metres, with nothing between frames. Joints at the origin count as missing. Neither format
    gives the frame rate.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file has another format.
    """
    rows = [(i, text.split()) for i, text in enumerate(read_lines(path), 1)]
    filled = [(i, cells) for i, cells in rows if cells]
    if filled[0][1][0].upper().startswith("FRAME"):
        return _read_thetis(path, filled)
    num_joints = len(KINECT20.joints)
    numbers = np.array([read_numbers(path, line, cells, 4) for line, cells in filled], np.float32)
    if len(numbers) % num_joints:
        raise unreadable_error(
            path,
            filled[-1][0],
            f"{num_joints} lines per frame",
            f"{len(numbers)} lines, so the last frame is incomplete",
        )
    joints = numbers.reshape(-1, num_joints, 4)[..., :3]
    return JointSequence(missing_where_zero(joints), KINECT20)


def _read_thetis(path: Path, rows: Sequence[tuple[int, list[str]]]) -> JointSequence:
    num_joints = len(THETIS15.joints)
    frames: list[list[list[float]]] = []
    for line, cells in rows:
        if cells[0].upper().startswith("FRAME"):
            if frames and len(frames[-1]) != num_joints:
                raise unreadable_error(
                    path, line, f"{num_joints} joints in the frame before this line", f"{len(frames[-1])}"
                )
            frames.append([])
        else:
            frames[-1].append(read_numbers(path, line, cells, 3))
    if len(frames[-1]) != num_joints:
        raise unreadable_error(
            path, rows[-1][0], f"{num_joints} joints in the last frame", f"{len(frames[-1])}"
        )
    return JointSequence(missing_where_zero(np.array(frames, np.float32)), THETIS15)
