"""The clips for calibrating and evaluating an int8 model, and for checking a graph of joints."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from jsonargparse import ArgumentError

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.dataset import ClipDataset, Sample
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.source import ClipSource
from tt_actions.clips.unseen import check_unseen
from tt_actions.errors import UserError
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.sources.user_clips import UserClips, UserJoints
from tt_actions.sources.user_rallies import UserRallies
from tt_actions.training.checkpoints import lineage
from tt_actions.training.parser import make_data

MAX_CALIBRATION_CLIPS = 32
"""Most clips for calibration: more clips hardly change the ranges of the values."""

MAX_EVALUATION_CLIPS = 500
"""Most clips for evaluation."""


class HeldOut(NamedTuple):
    """Preprocessed clips for calibrating and evaluating an exported model.

    Args:
        calibration: Clips that give the range of each value; none for a model of joints.
        measured: Other clips, with labels, that the model was not trained on.
    """

    calibration: list[Sample]
    measured: list[Sample]


def read_held_out(model: Recognizer, checkpoint: Path, data: Path | None) -> HeldOut:
    """Read the clips for calibration and for evaluation.

    Args:
        model: The trained model.
        checkpoint: Its checkpoint.
        data: A folder or a manifest of clips; for a model of recordings, anything that :class:`UserRallies`
            reads; None for the clips of the checkpoint's run. If the clips have splits, the test clips are
            for evaluation. Otherwise a quarter is for calibration and the rest for evaluation.

    Raises:
        FileNotFoundError: If the data do not exist.
        ValueError: If there are no clips of the model's classes for one of the two, or the model was trained
            on clips for evaluation.
        VideoError: If a clip can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="tt_actions-") as folder:
        if data is None:
            records, cache = _records_of_run(checkpoint)
        else:
            source = _source(model, data)
            records, cache = source.records(), FrameCache(Path(folder))
        calibration, measured = divide(records)
        if not calibration or not measured:
            raise UserError(
                f"Expected clips for calibration and other clips for evaluation, but got {len(calibration)} "
                f"and {len(measured)} from {len(records)} clips. Pass more with `--data`."
            )
        if unlabelled := [record.name for record in measured if not record.labels]:
            raise UserError(
                f"Expected labelled clips for evaluation, but '{unlabelled[0]}' has no label. "
                "Pass other clips with `--data`."
            )
        for ancestor in lineage(checkpoint):
            check_unseen(ancestor.parent.parent, measured, cache.digest)
        if isinstance(model.preprocessing, JointPreprocessing):
            calibration = []  # only int8 needs them
        parts = [_read(model, part, cache) for part in (calibration, measured)]
    return HeldOut(*parts)


def _source(model: Recognizer, data: Path) -> ClipSource:
    if isinstance(model.preprocessing, JointPreprocessing):
        return UserJoints(data)
    return UserRallies(data) if model.is_untrimmed else UserClips(data)


def divide(records: Sequence[ClipRecord]) -> tuple[list[ClipRecord], list[ClipRecord]]:
    """Choose clips for calibration and for evaluation; of a large set, evenly spaced ones.

    Args:
        records: The clips. Test clips are for evaluation; without any, three of four clips are.

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
    return _spread(calibration, MAX_CALIBRATION_CLIPS), _spread(measured, MAX_EVALUATION_CLIPS)


def _spread(records: list[ClipRecord], num: int) -> list[ClipRecord]:
    if len(records) <= num:
        return records
    return [records[i] for i in np.linspace(0, len(records) - 1, num).round().astype(int)]


def _records_of_run(checkpoint: Path) -> tuple[list[ClipRecord], FrameCache]:
    """Return the clips of the checkpoint's run, from its configuration and with the same splits."""
    config = checkpoint.absolute().parent.parent / "config.yaml"
    if not config.is_file():
        raise FileNotFoundError(
            f"Expected '{config}' with the clips of the training, to evaluate the export on, but it "
            "does not exist. Pass a folder or a manifest of labelled clips: `--data my_clips`."
        )
    try:
        data = make_data(yaml.safe_load(config.read_text("utf-8")))
    except (yaml.YAMLError, KeyError, TypeError, ArgumentError) as error:
        raise UserError(
            f"Expected '{config}' to be the configuration of a run, but it can't be read. Pass clips with "
            "`--data`."
        ) from error
    return data.records, data.cache


def _read(model: Recognizer, records: list[ClipRecord], cache: FrameCache) -> list[Sample]:
    preprocessing = model.preprocessing
    dataset = ClipDataset(
        records,
        model.class_names,
        cache,
        preprocessing.spec,
        preprocessing.num_frames,
        preprocessing.sampling,
        training=False,
    )
    return [dataset[number] for number in range(len(dataset))]
