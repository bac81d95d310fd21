"""What an offline run on W&B has written, read back from its ``.wandb`` file.

The file is a LevelDB log: a header of 7 bytes, then blocks of 32 KiB of chunks, each a checksum, a length, a
kind (whole, first, middle, last) and a part of a record.
"""

import json
import struct
import time
from dataclasses import dataclass, field

from run_files import PATIENCE_S
from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32 * 1024
WHOLE, LAST = 1, 4


def read_records(path):
    """Yield the records of a file in order."""
    content = path.read_bytes()
    assert content[:4] == b":W&B"
    place, parts = 7, b""
    while place + 7 <= len(content):
        left = BLOCK - place % BLOCK
        if left < 7:
            place += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, place)
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (WHOLE, LAST):
            yield Record.FromString(parts)
            parts = b""


@dataclass
class WrittenRun:
    """A run as W&B would show it; ``history`` is a list of what was logged at once, media as their JSON."""

    entity: str = ""
    project: str = ""
    group: str = ""
    job_type: str = ""
    name: str = ""
    tags: list = field(default_factory=list)
    config: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    summary: dict = field(default_factory=dict)
    artifacts: dict = field(default_factory=dict)
    files: list = field(default_factory=list)
    exit_code: int | None = None

    def logged(self, key):
        """The values of a key in the order they were logged."""
        return [row[key] for row in self.history if key in row]


def read_run(run_dir):
    """Read the one offline run of a run directory once it has ended: W&B's own process writes it."""
    [path] = (run_dir / "wandb").glob("offline-run-*/run-*.wandb")
    latest = time.monotonic() + PATIENCE_S
    while (written := read_file(path)).exit_code is None:
        assert time.monotonic() < latest, "the run does not end"
        time.sleep(0.05)
    return written


def read_file(path):
    """Read what a file holds so far."""
    written = WrittenRun()
    for record in read_records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            written.entity, written.project, written.group = run.entity, run.project, run.run_group
            written.job_type, written.name, written.tags = run.job_type, run.display_name, list(run.tags)
            update(written.config, run.config.update)
        elif kind == "config":
            update(written.config, record.config.update)
        elif kind == "summary":
            update(written.summary, record.summary.update)
        elif kind == "history":
            row = {}
            update(row, record.history.item)
            written.history.append(row)
        elif kind == "artifact":
            written.artifacts[record.artifact.name] = record.artifact
        elif kind == "files":
            written.files += [file.path for file in record.files.files]
        elif kind == "exit":
            written.exit_code = record.exit.exit_code
    return written


def update(values, items):
    """Set what the items of a record say, nested ones too."""
    for item in items:
        *outer, key = list(getattr(item, "nested_key", [])) or [item.key]
        place = values
        for name in outer:
            place = place.setdefault(name, {})
        place[key] = json.loads(item.value_json)
