"""Which pose model finds the joints: the built-in one, or a user's own."""

from functools import lru_cache
from pathlib import Path

from tt_actions.errors import UserError
from tt_actions.files import file_digest
from tt_actions.pose.blazepose import BlazePose
from tt_actions.pose.model import PoseModel
from tt_actions.pose.weights import DIGESTS, find_weights
from tt_actions.skeleton.layouts import Layout

BUILT_IN = "blazepose"
"""Name of the built-in model."""

IN_SPACE, IN_IMAGE = "ntu25", "coco17"
"""The layouts in which strokes are compared: in space where the pose model knows it, or in the image."""

_PREFIX = "onnx:"
_EXTERNAL = ".data"  # added to the name of a graph whose weights are in a file of their own


def check_pose(pose: str) -> None:
    """Raise an error if a name is not that of a pose model; a file need not exist.

    Args:
        pose: ``blazepose``, or ``onnx:`` and the path of a model.

    Raises:
        UserError: If it is something else.
    """
    if pose != BUILT_IN and not (pose.startswith(_PREFIX) and pose != _PREFIX):
        raise UserError(
            f"Expected `pose` to be {BUILT_IN}, or onnx:PATH with the path of a model, but got '{pose}'. Use "
            "one of these."
        )


def check_layout(pose: str, layout: Layout) -> None:
    """Raise an error if a pose model does not find the joints of a layout.

    Args:
        pose: Name of the model: see :func:`check_pose`.
        layout: The layout.

    Raises:
        UserError: If the name is no model, or its joints are in the image and those of the layout in space.
    """
    check_pose(pose)
    if pose != BUILT_IN and layout.num_coordinates != 2:
        raise UserError(
            f"Expected `layout` to be coco17, movenet13 or blazepose33_2d for `pose` {pose}, which finds "
            f"joints in the image only, but got {layout.name}. Use one of these, or `pose` {BUILT_IN}."
        )


def find_own_model(pose: str) -> Path | None:
    """Return the file of a user's own model; None for the built-in one.

    Args:
        pose: Name of the model: see :func:`check_pose`.

    Raises:
        UserError: If it is no such name, or there is no such file.
    """
    check_pose(pose)
    if pose == BUILT_IN:
        return None
    path = Path(pose.removeprefix(_PREFIX))
    if not path.is_file():
        raise UserError(
            f"Expected the pose model '{path}', but there is no such file. Pass its path with `--pose "
            "onnx:PATH`."
        )
    return path


def pose_digests(pose: str) -> tuple[str, ...]:
    """Return what identifies the networks of a pose model, wherever their files are.

    Args:
        pose: Name of the model: see :func:`check_pose`.

    Raises:
        UserError: If there is no such model.
    """
    own = find_own_model(pose)
    if own is None:
        return tuple(DIGESTS.values())
    detector, *_ = DIGESTS.values()
    parts = (own, own.with_name(own.name + _EXTERNAL))
    return detector, *(_digest(p, p.stat().st_size, p.stat().st_mtime_ns) for p in parts if p.is_file())


@lru_cache
def _digest(path: Path, num_bytes: int, changed_ns: int) -> str:
    """Digest of a file, read again when the file changes."""
    del num_bytes, changed_ns  # they make the key
    return file_digest(path)


def open_pose(pose: str, num_threads: int) -> PoseModel:
    """Open a pose model.

    Args:
        pose: Name of the model: see :func:`check_pose`.
        num_threads: Number of threads of each network.

    Raises:
        UserError: If there is no such model, or it can't be run.
    """
    own = find_own_model(pose)
    if own is None:
        return BlazePose(find_weights(), num_threads)
    from tt_actions.pose.onnx_pose import OnnxPose

    return OnnxPose(own, find_weights(), num_threads)
