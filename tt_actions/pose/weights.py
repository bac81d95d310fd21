"""The files of the pose model: where they are, and how to get them."""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

from tt_actions.errors import UserError
from tt_actions.files import file_digest, lock_folder, write_atomically

WHEEL = "mediapipe==0.10.21"
"""The package that contains the networks (Apache-2.0); its own code is not used and not installed."""

DIGESTS = {
    "pose_detection.tflite": "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "pose_landmark_full.tflite": "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
"""SHA-256 of each network."""

_ANY_PLATFORM = ("--python-version", "3.11", "--platform", "manylinux_2_28_x86_64")  # networks do not differ
_BY_HAND = "Download that wheel on another computer and run `tt-actions pose fetch --from WHEEL`"


class Weights(NamedTuple):
    """The files of the two networks.

    Args:
        detector: The detector of persons.
        landmarks: The network for the landmarks of one person.
    """

    detector: Path
    landmarks: Path


def weights_folder() -> Path:
    """Return the user's folder for the networks."""
    return user_cache_path("tt_actions") / "pose"


def find_weights() -> Weights:
    """Return the files of the networks, which are downloaded the first time.

    Raises:
        UserError: If a file is damaged, or can't be downloaded.
        OSError: If the files can't be written.
    """
    folder = weights_folder()
    if not all((folder / name).is_file() for name in DIGESTS):
        fetch_weights()
    if damaged := _damaged():
        raise UserError(
            f"Expected '{folder / damaged[0]}' to be the network of {WHEEL}, but it differs. Run "
            "`tt-actions pose fetch`."
        )
    return Weights(*(folder / name for name in DIGESTS))


def fetch_weights(source: Path | None = None) -> Path:
    """Get the networks and write them to the user's folder.

    Args:
        source: A wheel of mediapipe, or a folder with the two ``.tflite`` files; None to download the wheel
            with pip, with the user's settings of pip.

    Returns:
        The folder.

    Raises:
        UserError: If the download fails, or the source does not contain the networks.
        OSError: If the files can't be written.
    """
    folder = weights_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (
        lock_folder(folder, f"Waiting for another process that writes to '{folder}'.", wait=True),
        tempfile.TemporaryDirectory(prefix="tt_actions-") as temporary,
    ):
        if source is None and not _damaged():  # perhaps another process downloaded them meanwhile
            return folder
        content = _read_source(_download(Path(temporary)) if source is None else source)
        for name, data in content.items():
            with write_atomically(folder / name) as file:
                file.write_bytes(data)
    return folder


def _damaged() -> list[str]:
    """Names of the networks that are missing or not as expected."""
    files = {name: weights_folder() / name for name in DIGESTS}
    return [n for n, file in files.items() if not file.is_file() or file_digest(file) != DIGESTS[n]]


def _download(folder: Path) -> Path:
    """Download the wheel with pip, which shows its progress."""
    sys.stderr.write(f"Downloading the pose model ({WHEEL}, 36 MB, once) into '{weights_folder()}'.\n")
    words = ["download", "--no-deps", "--only-binary=:all:", *_ANY_PLATFORM, "--dest", str(folder), WHEEL]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    end = subprocess.run(  # noqa: S603 - fixed words
        pip, stdout=sys.stderr, stderr=subprocess.PIPE, text=True, check=False
    )
    if end.returncode:
        reason = (end.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("ERROR: ").rstrip(".")
        raise UserError(f"Expected to download {WHEEL} with pip, but got: {reason}. {_BY_HAND}.")
    (wheel,) = folder.glob("*.whl")
    return wheel


def _read_source(source: Path) -> dict[str, bytes]:
    """Return the content of both networks by name."""
    if not source.exists():
        raise FileNotFoundError(f"Expected a wheel or a folder, but there is no '{source}'. Check the path.")
    if source.is_dir():
        found = {name: (source / name).read_bytes() for name in DIGESTS if (source / name).is_file()}
    else:
        try:
            with zipfile.ZipFile(source) as archive:
                names = {Path(member).name: member for member in archive.namelist()}
                found = {name: archive.read(names[name]) for name in DIGESTS if name in names}
        except zipfile.BadZipFile as error:
            raise UserError(
                f"Expected '{source}' to be a wheel, but it can't be read ({error}). {_BY_HAND}."
            ) from error
    for name, digest in DIGESTS.items():
        if name not in found or hashlib.sha256(found[name]).hexdigest() != digest:
            problem = "it is different" if name in found else "there is none"
            raise UserError(f"Expected '{source}' to contain {name} of {WHEEL}, but {problem}. {_BY_HAND}.")
    return found
