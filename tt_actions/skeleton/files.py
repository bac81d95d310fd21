"""Reading joint files of any supported format."""

from pathlib import Path

from tt_actions.errors import UnreadableError
from tt_actions.skeleton.array_files import read_npy, read_npz
from tt_actions.skeleton.keypoint_files import read_csv
from tt_actions.skeleton.kinect_files import read_ntu, read_text
from tt_actions.skeleton.landmark_tables import is_landmark_table, read_landmark_table
from tt_actions.skeleton.layouts import BALL, PATHS, Layout, convert
from tt_actions.skeleton.path_files import is_path, read_ball_markup, read_path
from tt_actions.skeleton.sequence import JointSequence

SUFFIXES = (".skeleton", ".npy", ".txt", ".csv", ".npz", ".json")


def read_joints(path: Path, layout: Layout) -> JointSequence:
    """Read the joints of a file in a given layout; suffix and content determine the file's format.

    Args:
        path: A ``.skeleton`` file of NTU RGB+D, a ``.txt`` of MSR Action3D or THETIS, a ``.csv`` of
            keypoints or of a ball's trajectory, a ``.npy`` (C, T, V, M), the ``.npz`` of a synthetic clip, or
            the ``ball_markup.json`` of OpenTTGames. Landmarks of MediaPipe are a ``.csv``, ``.npy`` or
            ``.npz``: see :mod:`tt_actions.skeleton.landmark_tables`,
            :func:`tt_actions.skeleton.landmarks.find_landmarks` and
            :func:`tt_actions.skeleton.array_files.read_npz`.
        layout: Layout of the result. A file with another layout is converted: see
            :func:`tt_actions.skeleton.layouts.convert`.

    Raises:
        UnreadableError: If the file can't be read, or contains 2D joints although the layout is 3D, or the
            other way round. World landmarks of MediaPipe are 3D; its landmarks in pixels are both.
    """
    suffix = path.suffix.lower()
    if suffix == ".npy":
        sequence = read_npy(path, layout)
    elif suffix == ".npz":
        sequence = read_npz(path, layout)
    elif suffix == ".skeleton":
        sequence = read_ntu(path)
    elif suffix == ".txt":
        sequence = read_text(path)
    elif suffix == ".json":
        sequence = read_ball_markup(path)
    elif suffix == ".csv":
        sequence = _read_csv(path, layout)
    else:
        raise UnreadableError(f"Expected a joint file ({', '.join(SUFFIXES)}), but got '{path}'.")
    is_incompatible = (sequence.layout in PATHS or layout in PATHS) and sequence.layout is not layout
    num, wanted = sequence.joints.shape[-1], layout.num_coordinates
    if is_incompatible or num != wanted:
        raise UnreadableError(
            f"Expected joints of `layout` {layout.name} with {wanted} coordinates, but '{path}' contains "
            f"{sequence.layout.name} with {num}. Set `layout` to {sequence.layout.name}."
        )
    return JointSequence(convert(sequence.joints, sequence.layout, layout), layout, sequence.times_s)


def _read_csv(path: Path, layout: Layout) -> JointSequence:
    if layout is BALL or is_path(path):
        return read_path(path)
    if is_landmark_table(path):
        return read_landmark_table(path, layout)
    return read_csv(path)
