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
    refuse,
)

_NTU_BODY_FIELDS = 10
_NTU_JOINT_FIELDS = 12
_NTU_FPS = 30.0


def read_ntu(path: Path) -> JointSequence:
    """Read a ``.skeleton`` file of NTU RGB+D; of several bodies the one that moves most.

    The file holds the number of frames; for each frame the number of bodies; for each body a line of 10
    fields, the number of joints, and a line of 12 fields for each joint, the first three its place in metres.
    It is recorded at 30 frames a second.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file is none of these, or no body is in it.
    """
    lines = _Lines(path)
    num_frames = lines.count("the number of frames")
    if num_frames > lines.left:
        raise refuse(path, lines.number, f"at most {lines.left} frames in as many lines", f"{num_frames}")
    bodies: dict[str, np.ndarray] = {}
    num_joints = len(NTU25.joints)
    for frame in range(num_frames):
        for _ in range(lines.count("the number of bodies")):
            line, cells = lines.take("a body")
            if len(cells) != _NTU_BODY_FIELDS:
                raise refuse(path, line, f"{_NTU_BODY_FIELDS} fields of a body", f"{len(cells)}")
            number = lines.count("the number of joints")
            if number != num_joints:
                raise refuse(path, lines.number, f"{num_joints} joints", f"{number}")
            body = bodies.setdefault(cells[0], np.full((num_frames, num_joints, 3), np.nan, np.float32))
            for joint in range(num_joints):
                line, cells = lines.take("a joint")
                body[frame, joint] = read_numbers(path, line, cells[:3], 3)
                if len(cells) != _NTU_JOINT_FIELDS:
                    raise refuse(path, line, f"{_NTU_JOINT_FIELDS} fields of a joint", f"{len(cells)}")
    lines.end()
    if not bodies:
        raise refuse(path, None, "a body", "none in any frame")
    joints = most_moving(missing_where_zero(np.stack(list(bodies.values()))))
    return JointSequence(joints, NTU25, np.arange(num_frames) / _NTU_FPS)


class _Lines:
    """The lines of a file that are not empty, one after the other."""

    def __init__(self, path: Path) -> None:
        self.path = path
        filled = ((i, text.split()) for i, text in enumerate(read_lines(path), 1))
        lines = [(i, cells) for i, cells in filled if cells]
        self.left, self._lines = len(lines), iter(lines)
        self.number = 0

    def take(self, what: str) -> tuple[int, list[str]]:
        try:
            self.number, cells = next(self._lines)
        except StopIteration:
            raise refuse(self.path, self.number, f"{what} after it", "the end of the file") from None
        self.left -= 1
        return self.number, cells

    def count(self, what: str) -> int:
        line, cells = self.take(what)
        if len(cells) != 1 or not cells[0].isdecimal() or len(cells[0]) > 9:
            raise refuse(self.path, line, what, f"'{' '.join(cells)[:80]}'")
        return int(cells[0])

    def end(self) -> None:
        for line, cells in self._lines:
            raise refuse(self.path, line, "the end of the file", f"'{' '.join(cells)[:80]}'")


def read_text(path: Path) -> JointSequence:
    """Read a ``.txt`` file of THETIS, whose frames have a line ``FRAME: n`` first, or of MSR Action3D.

    THETIS gives 15 lines ``x y z`` a frame, in millimetres; MSR Action3D 20 lines ``x y z confidence``, in
    metres, without a line between frames. Joints at the origin are missing. Neither tells its rate.

    Args:
        path: The file.

    Raises:
        UnreadableError: If the file is neither.
    """
    rows = [(i, text.split()) for i, text in enumerate(read_lines(path), 1)]
    filled = [(i, cells) for i, cells in rows if cells]
    if filled[0][1][0].upper().startswith("FRAME"):
        return _read_thetis(path, filled)
    num_joints = len(KINECT20.joints)
    numbers = np.array([read_numbers(path, line, cells, 4) for line, cells in filled], np.float32)
    if len(numbers) % num_joints:
        raise refuse(
            path, filled[-1][0], f"{num_joints} lines a frame", f"{len(numbers)} lines, which end within one"
        )
    joints = numbers.reshape(-1, num_joints, 4)[..., :3]
    return JointSequence(missing_where_zero(joints), KINECT20)


def _read_thetis(path: Path, rows: Sequence[tuple[int, list[str]]]) -> JointSequence:
    num_joints = len(THETIS15.joints)
    frames: list[list[list[float]]] = []
    for line, cells in rows:
        if cells[0].upper().startswith("FRAME"):
            if frames and len(frames[-1]) != num_joints:
                raise refuse(path, line, f"{num_joints} joints before it", f"{len(frames[-1])}")
            frames.append([])
        else:
            frames[-1].append(read_numbers(path, line, cells, 3))
    if len(frames[-1]) != num_joints:
        raise refuse(path, rows[-1][0], f"{num_joints} joints in the last frame", f"{len(frames[-1])}")
    return JointSequence(missing_where_zero(np.array(frames, np.float32)), THETIS15)
