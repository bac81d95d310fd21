"""The clips that an int8 model is calibrated and measured on."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.dataset import ClipDataset, Sample
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.splits import check_unseen
from tt_actions.errors import UserError
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.sources.user_clips import UserClips
from tt_actions.sources.user_rallies import UserRallies
from tt_actions.training.checkpoints import lineage
from tt_actions.training.parser import make_data

NUM_CALIBRATED = 32
"""Most clips to calibrate on: more change the ranges of values little."""

NUM_MEASURED = 500
"""Most clips to measure on."""


class HeldOut(NamedTuple):
    """Clips as the model is shown them.

    Args:
        calibration: Those that tell the range of each value.
        measured: Others, with their classes, that the model has not learnt from.
    """

    calibration: list[Sample]
    measured: list[Sample]


def read_held_out(model: Recognizer, checkpoint: Path, data: Path | None) -> HeldOut:
    """Read the clips to calibrate and to measure on.

    Args:
        model: The trained model.
        checkpoint: Its checkpoint.
        data: A folder or a manifest of clips, or of a model of recordings what :class:`UserRallies` reads;
            None for those of the checkpoint's run. Of a manifest with splits the test clips are measured;
            else a quarter of the clips calibrates.

    Raises:
        FileNotFoundError: If there are no data.
        ValueError: If there are no clips of the model's classes for both, or the model has learnt from those
            that are to be measured.
        VideoError: If a clip can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="tt_actions-") as folder:
        if data is None:
            records, cache = _records_of_run(checkpoint)
        else:
            source = UserRallies(data) if model.is_untrimmed else UserClips(data)
            records, cache = source.records(), FrameCache(Path(folder))
        calibration, measured = divide(records)
        if not calibration or not measured:
            raise UserError(
                f"Expected clips to calibrate on and others to measure on, but got {len(calibration)} and "
                f"{len(measured)} of {len(records)}. Give more with `--data`."
            )
        if bare := [record.name for record in measured if not record.labels]:
            raise UserError(
                f"Expected labelled clips to measure on, but '{bare[0]}' has no label. "
                "Give others with `--data`."
            )
        for ancestor in lineage(checkpoint):
            check_unseen(ancestor.parent.parent, measured, cache.digest)
        parts = [_read(model, part, cache) for part in (calibration, measured)]
    return HeldOut(*parts)


def divide(records: Sequence[ClipRecord]) -> tuple[list[ClipRecord], list[ClipRecord]]:
    """Choose the clips to calibrate on and those to measure on, spread over the set where there are many.

    Args:
        records: The clips; if some are for test, these are measured, else three of four.

    >>> calibration, measured = divide([ClipRecord(Path(f"{i}.mp4")) for i in range(8)])
    >>> [len(calibration), len(measured)]
    [2, 6]
    """
    if any(record.split == "test" for record in records):
        measured = [record for record in records if record.split == "test"]
        calibration = [record for record in records if record.split != "test"]
    else:
        calibration = list(records[1::4])
        rest = [record for number, record in enumerate(records) if number % 4 != 1]
        measured = [replace(record, split="test") for record in rest]
    return _spread(calibration, NUM_CALIBRATED), _spread(measured, NUM_MEASURED)


def _spread(records: list[ClipRecord], num: int) -> list[ClipRecord]:
    if len(records) <= num:
        return records
    return [records[i] for i in np.linspace(0, len(records) - 1, num).round().astype(int)]


def _records_of_run(checkpoint: Path) -> tuple[list[ClipRecord], FrameCache]:
    """Return the clips that the checkpoint's run names in its configuration, split as they were."""
    config = checkpoint.absolute().parent.parent / "config.yaml"
    if not config.is_file():
        raise FileNotFoundError(
            f"Expected clips to calibrate and to measure int8 on, but there is no '{config}' that names "
            "those of the training. Give a folder or a manifest of labelled clips: `--data my_clips`."
        )
    try:
        data = make_data(yaml.safe_load(config.read_text("utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, SystemExit) as error:
        raise UserError(
            f"Expected '{config}' to be the configuration of a run, but it can't be read. Give clips with "
            "`--data`."
        ) from error
    return data.records, data.cache


def _read(model: Recognizer, records: list[ClipRecord], cache: FrameCache) -> list[Sample]:
    how = model.frame_preprocessing
    dataset = ClipDataset(
        records,
        model.class_names,
        cache,
        how.spec,
        how.num_frames,
        how.sampling,
        training=False,
    )
    return [dataset[number] for number in range(len(dataset))]
