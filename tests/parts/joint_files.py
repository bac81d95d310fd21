"""Files of joints as other programs write them, with numbers that tell what stands where."""

from pathlib import Path

import numpy as np


def ntu_text(bodies: np.ndarray) -> str:
    """A ``.skeleton`` file of bodies ``(M, T, 25, 3)``; a body of NaN in a frame is left out."""
    lines = [f"{bodies.shape[1]}"]
    for t in range(bodies.shape[1]):
        seen = [m for m in range(len(bodies)) if not np.isnan(bodies[m, t]).all()]
        lines.append(f"{len(seen)}")
        for m in seen:
            lines += [f"{720 + m} 0 1 1 1 1 0 0.1 0.2 2", "25"]
            lines += [" ".join(map(str, [*joint, 1, 2, 3, 4, 0, 0, 0, 1, 2])) for joint in bodies[m, t]]
    return "\n".join(lines) + "\n"


def thetis_text(joints: np.ndarray) -> str:
    """A text file of THETIS of joints ``(T, 15, 3)``."""
    return "".join(
        f"FRAME: {t}\n" + "".join(f"{x} {y} {z}\n" for x, y, z in frame) for t, frame in enumerate(joints)
    )


def msr_text(joints: np.ndarray) -> str:
    """A text file of MSR Action3D of joints ``(T, 20, 3)``."""
    return "".join(f"{x} {y} {z} 1.0\n" for x, y, z in joints.reshape(-1, 3))


def keypoint_text(joints: np.ndarray, names: tuple[str, ...], label: str = "serve") -> str:
    """A CSV file of named keypoints ``(T, V, 2)``, y before x, the class last."""
    header = [f"{name}_{axis}" for name in names for axis in "yx"]
    rows = [[f"{v}" for x, y in frame for v in (y, x)] + [label] for frame in joints]
    return "\n".join(",".join(row) for row in ([*header, "shot"], *rows)) + "\n"


def write(path: Path, text: str) -> Path:
    """Write a text file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def walking(num_frames: int, num_joints: int, num_coordinates: int = 3, speed: float = 0.1) -> np.ndarray:
    """Joints that all move alike, each at a place of its own, none at the origin."""
    places = np.arange(1, num_joints * num_coordinates + 1, dtype=np.float32).reshape(1, num_joints, -1) / 10
    return (places + speed * np.arange(num_frames, dtype=np.float32)[:, None, None]).round(4)
