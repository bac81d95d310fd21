"""Cache of decoded frames on disk: each combination of clip content and frame spec is decoded once."""

import hashlib
import json
import math
import os
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from tt_actions.clips.records import ClipRecord
from tt_actions.clips.specs import InputSpec
from tt_actions.errors import UnreadableError
from tt_actions.files import explain_failure, lock_folder, write_atomically
from tt_actions.video.decoder import VideoWarning
from tt_actions.video.types import Roi

_VERSION = 3  # increase it when the same clip and spec give other pixels
_DTYPES = ("|u1", "<f4")  # of pixels and of joints
_BROKEN = (
    *(ValueError, TypeError, SyntaxError, TokenError),  # NumPy raises these for a broken header
    *(FileNotFoundError, RuntimeError),  # the file is gone before, or while, torch opens it
)

_ADVICE = "or choose another `cache_dir`"

_MAX_MAPS = 30_000  # Linux allows a process 65,530

_Key = tuple[Path, float, float | None, Roi | None, InputSpec]


class FrameCache:
    """Frames of clips as memory maps, decoded on first access.

    The content of the video identifies a cached file. A moved video is therefore not decoded again, but a
    changed one is. Any number of processes may use one folder. Missing or broken cached files are created
    again. Within one process, a video is assumed not to change: the map of an opened clip stays in memory.

    Args:
        folder: Folder of the cached frames, created on first use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._maps: dict[_Key, np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_maps": {}}  # each loader process opens its own maps

    def frames(self, record: ClipRecord, spec: InputSpec) -> np.ndarray:
        """Return all frames of a clip.

        Args:
            record: The clip. Its ``roi`` overrides that of the spec.
            spec: How the clip's file becomes frames.

        Returns:
            A read-only memory map.

        Shape:
            frames ``(T, H, W, C)``, uint8: RGB and, with flow, x and y; or joints ``(T, V, C)``, float32.

        Raises:
            UnreadableError: If the clip can't be read.
            OSError: If the frames can't be written.
        """
        key = (record.path, record.start_s, record.end_s, record.roi, spec)
        frames = self._maps.get(key)
        if frames is None:
            file = self._file(record, spec)
            frames = _map(file)
            if frames is None:
                self._decode(record, spec, file)
                frames = _map(file)
                assert frames is not None
            if len(self._maps) >= _MAX_MAPS:
                self._maps.pop(next(iter(self._maps)))
            self._maps[key] = frames
        return frames

    def build(
        self,
        records: Sequence[ClipRecord],
        spec: InputSpec,
        num_workers: int | None = None,
        *,
        skip_unreadable: bool = False,
    ) -> list[ClipRecord]:
        """Decode the clips that are not cached yet, in parallel, and report or skip unreadable ones.

        Args:
            records: The clips.
            spec: How a clip's file becomes frames.
            num_workers: Number of clips to decode at once; None for one per core.
            skip_unreadable: Warn about unreadable clips and skip them, instead of raising an error.

        Returns:
            The readable clips, in the same order.

        Raises:
            UnreadableError: If clips can't be read; the error lists all of them. With ``skip_unreadable``
                only if none can be read.
            OSError: If the frames can't be written.

        Warns:
            VideoWarning: About damaged files and, with ``skip_unreadable``, about unreadable clips.
        """
        errors = self.decode_missing(records, spec, num_workers)
        if errors:
            lines = "".join(f"\n  {error}" for error in errors.values())
            message = f"{len(errors)} of {len(records)} clips can't be read:{lines}"
            if not skip_unreadable or len(errors) == len(records):
                raise UnreadableError(
                    f"Expected readable clips, but {message}\n"
                    "Repair or remove these files, or set `skip_unreadable: true` to skip them."
                )
            warnings.warn(f"Skipping clips: {message}", VideoWarning, stacklevel=2)
        return [record for record in records if record.name not in errors]

    def decode_missing(
        self, records: Sequence[ClipRecord], spec: InputSpec, num_workers: int | None = None
    ) -> dict[str, str]:
        """Decode the clips that are not cached yet, in parallel.

        Args:
            records: The clips.
            spec: How a clip's file becomes frames.
            num_workers: Number of clips to decode at once; None for one per core.

        Returns:
            The error message of each unreadable clip, by the clip's name.

        Raises:
            OSError: If the frames can't be written.

        Warns:
            VideoWarning: About damaged files.
        """
        errors: dict[str, str] = {}
        with ThreadPoolExecutor() as threads:
            # compute all digests first, so that a long file is read once and not once per clip
            videos = list(dict.fromkeys(record.path for record in records))
            found = threads.map(lambda video: self._digest_problem(video, spec), videos)
            problems = dict(zip(videos, found, strict=True))
        missing = []
        for record in records:
            if problem := problems[record.path]:
                errors[record.name] = problem
            elif _map(self._file(record, spec)) is None:
                missing.append(record)
        if missing:
            with explain_failure(self.folder, _ADVICE):
                self.folder.mkdir(parents=True, exist_ok=True)
            in_use = f"Waiting for another process that writes to '{self.folder}'."
            with lock_folder(self.folder, in_use, wait=True):
                errors |= self._decode_all(missing, spec, num_workers)
        return errors

    def _decode_all(
        self, records: Sequence[ClipRecord], spec: InputSpec, num_workers: int | None
    ) -> dict[str, str]:
        errors: dict[str, str] = {}
        # while this process waited, another one may have decoded the clips
        missing = [record for record in records if _map(self._file(record, spec)) is None]
        if not missing:
            return errors
        for first in {spec.source(record.path) or spec for record in missing}:
            first.prepare()
        # threads suffice, because libav and OpenCV release Python's lock
        with ThreadPoolExecutor(num_workers or os.cpu_count()) as threads:
            results = threads.map(lambda record: self._problem(record, spec), missing)
            console, title = Console(stderr=True), f"Decoding into {escape(str(self.folder))}"
            tracked = track(results, title, total=len(missing), console=console)
            for record, problem in zip(missing, tracked, strict=True):
                if problem:
                    errors[record.name] = problem
        return errors

    def _problem(self, record: ClipRecord, spec: InputSpec) -> str | None:
        try:
            self._decode(record, spec, self._file(record, spec))  # the dictionary of maps is not thread-safe
        except UnreadableError as error:
            return str(error)
        return None

    def _decode(self, record: ClipRecord, spec: InputSpec, file: Path) -> None:
        source = spec.source(record.path)
        if source is None:
            frames = spec.read(record.path, record.start_s, record.end_s, record.roi).values
        else:
            file_of_source = self._file(record, source)
            if _map(file_of_source) is None:
                self._decode(record, source, file_of_source)
            values = _map(file_of_source)
            assert values is not None
            frames = spec.finish(values, record.path, record.start_s).values
        with write_atomically(file, _ADVICE) as temporary:
            np.save(temporary, frames)

    def _file(self, record: ClipRecord, spec: InputSpec) -> Path:
        source = spec.source(record.path)
        of_source = [] if source is None else source.cache_key(record.roi)
        settings = [record.start_s, record.end_s, *spec.cache_key(record.roi), *of_source]
        digests = [self.digest(file) for file in spec.files(record.path)]
        key = _hash(json.dumps([_VERSION, *digests, *settings]).encode())
        return self.folder / key[:2] / f"{key}.npy"

    def digest(self, video: Path) -> str:
        """Return the digest of a file's content; the cache remembers it while the file is unchanged.

        Args:
            video: The file, or a folder of images; all files in the folder count.

        Raises:
            UnreadableError: If the file can't be read.
            OSError: If the digest can't be stored.
        """
        try:
            files = _list_files(video)
            states = [file.stat() for file in files]
            note = self.folder / "digests" / _hash(os.fsencode(video.absolute()))
            changed_ns = max((state.st_mtime_ns for state in states), default=0)
            fingerprint = f"{sum(state.st_size for state in states)} {changed_ns} "
            stored = note.read_text(encoding="ascii", errors="replace") if note.is_file() else ""
            if re.fullmatch(re.escape(fingerprint) + "[0-9a-f]{40}", stored):
                return stored.removeprefix(fingerprint)
            digest = content_digest(video)
        except OSError as error:
            raise UnreadableError(
                f"Expected '{video}' to be readable, but got: {error.strerror}. "
                "Check the path and its permissions."
            ) from error
        with write_atomically(note, _ADVICE) as temporary:
            temporary.write_text(fingerprint + digest, encoding="ascii")
        return digest

    def _digest_problem(self, video: Path, spec: InputSpec) -> str | None:
        try:
            for file in spec.files(video):
                self.digest(file)
        except UnreadableError as error:
            return str(error)
        return None


def content_digest(video: Path) -> str:
    """Return the digest of a file's content, or of that of all files in a folder of images.

    Args:
        video: The file or the folder.

    Raises:
        OSError: If a file can't be read.
    """
    digests = [_file_digest(file) for file in _list_files(video)]
    return _hash("".join(digests).encode()) if video.is_dir() else digests[0]


def _list_files(video: Path) -> list[Path]:
    return sorted(path for path in video.iterdir() if path.is_file()) if video.is_dir() else [video]


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20)).hexdigest()


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=20).hexdigest()


def _map(file: Path) -> np.ndarray | None:
    """Open a cached file as a memory map, or return None if it is missing or broken.

    Unlike NumPy's maps, torch's maps keep no file descriptor open; the number of descriptors is limited.
    """
    try:
        with file.open("rb") as opened:
            npy.read_magic(opened)
            shape, _, dtype = npy.read_array_header_1_0(opened)
            start, num_bytes = opened.tell(), os.fstat(opened.fileno()).st_size
        if dtype.str not in _DTYPES or num_bytes != start + math.prod(shape) * dtype.itemsize:
            return None
        data = torch.from_file(str(file), shared=False, size=num_bytes, dtype=torch.uint8)
        frames: np.ndarray = data.numpy()[start:].view(dtype).reshape(shape)
    except _BROKEN:
        return None
    frames.flags.writeable = False
    return frames
