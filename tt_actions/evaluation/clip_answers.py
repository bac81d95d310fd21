"""The predictions of a model on clips as a table, and as files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tt_actions.clips.cache import content_digest
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.records import ClipRecord
from tt_actions.clips.unseen import find_used
from tt_actions.errors import UserError
from tt_actions.evaluation.significance import accuracy_interval, drawable_groups
from tt_actions.files import write_json, write_rows
from tt_actions.recognition.prediction import ClipPrediction
from tt_actions.recognition.progress import show_progress
from tt_actions.recognition.recognizer import Recognizer
from tt_actions.sources.clip_list import RESULT_FILES, list_clips
from tt_actions.video.types import Roi


@dataclass(frozen=True)
class Answers:
    """What a model says of some clips.

    Args:
        class_names: The classes of the model.
        clips: The clips, each with its prediction.
        failures: The clips that can't be read, each with the reason.
        num_used: Number of labelled clips that the training of the model used.
    """

    class_names: tuple[str, ...]
    clips: Sequence[tuple[ClipRecord, ClipPrediction]]
    failures: Sequence[tuple[ClipRecord, str]] = ()
    num_used: int = 0

    @property
    def marks(self) -> list[bool]:
        """Whether each prediction is right, of the clips whose label is a class of the model."""
        return [
            clip.label == prediction.label
            for clip, prediction in self.clips
            if clip.label in self.class_names
        ]

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the share of right predictions; None if it is unknown."""
        if not self.marks:
            return None
        groups = [clip.group for clip, _ in self.clips if clip.label in self.class_names]
        low, high = accuracy_interval(np.array(self.marks), drawable_groups(groups))
        return None if np.isnan(low) else (low, high)

    def place(self, record: ClipRecord) -> str:
        """Return the path of a clip within the folder that all clips share.

        Args:
            record: The clip.
        """
        return os.fsencode(record.path.absolute().relative_to(self._folder)).decode("utf-8", "replace")

    @cached_property
    def _folder(self) -> str:
        """The folder that all clips share."""
        places = {clip.path.absolute().parent for clip, _ in (*self.clips, *self.failures)}
        return os.path.commonpath(places)

    @property
    def unknown_labels(self) -> list[str]:
        """The labels that are no classes of the model."""
        labels = {clip.label for clip, _ in self.clips if clip.label is not None}
        return sorted(labels.difference(self.class_names))


def answer(model: Recognizer, source: Path, run_dir: Path, roi: Roi | None = None) -> Answers:
    """Classify a clip, or every clip of a folder or manifest.

    Of several clips, one that can't be used is reported, and the others are classified.

    Args:
        model: The trained model.
        source: A clip, a folder or a manifest: see :func:`tt_actions.sources.clip_list.list_clips`.
        run_dir: Where the run that trained the model says which clips it used, if it is still there.
        roi: Region (x0, y0, x1, y1) in pixels for clips without a region of their own; None for that of the
            training.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        UserError: If the model is for untrimmed recordings, the source can't be used, the clips need a
            region, or the only clip can't be read.
    """
    if model.is_untrimmed:
        raise UserError(
            "Expected a model for clips with predict, but got a model for untrimmed recordings. "
            "Use `tt-actions analyze VIDEO --checkpoint ...`."
        )
    records = list_clips(source, model.preprocessing, model.class_names)
    videos = [record.path for record in records if model.preprocessing.has_pixels(record.path)]
    if videos:
        if roi is None and not any(record.roi for record in records):
            model.check_region(None)
        (model.preprocessing.source(videos[0]) or model.preprocessing).prepare()  # one error, not one a clip
    clips, failures = [], []
    with show_progress("naming strokes", len(records), "clips") as on_progress:
        for number, record in enumerate(records, 1):
            try:
                clips.append((record, _predict(model, record, roi)))
            except (UserError, OSError) as error:
                if len(records) == 1:
                    raise
                failures.append((record, str(error)))
            on_progress(number)
    labelled = [replace(clip, split=None) for clip, _ in clips if clip.label in model.class_names]
    num_used = len(find_used(run_dir, labelled, content_digest))
    return Answers(model.class_names, clips, failures, num_used)


def _predict(model: Recognizer, record: ClipRecord, roi: Roi | None) -> ClipPrediction:
    own = record.roi or (roi if model.preprocessing.has_pixels(record.path) else None)
    hand = record.hand if isinstance(model.preprocessing, JointPreprocessing) else None
    return model.predict(record.path, record.start_s, record.end_s, own, hand)


def print_answers(answers: Answers) -> None:
    """Print a table of the predictions, the accuracy if labels are known, and the clips that failed.

    Args:
        answers: The predictions.
    """
    console = Console(highlight=False)
    if answers.clips:
        console.print(_table(answers))
    for sentence in describe_answers(answers):
        console.print(sentence, markup=False, soft_wrap=True)
    for record, reason in answers.failures:
        console.print(f"failed: {answers.place(record)}: {reason}", markup=False, style="red", soft_wrap=True)
    if answers.failures:
        num = len(answers.clips) + len(answers.failures)
        console.print(f"{len(answers.clips)} of {num} clips classified.")


def describe_answers(answers: Answers) -> list[str]:
    """Return the accuracy, and which labels don't count, a sentence each.

    Args:
        answers: The predictions.
    """
    sentences, marks = [], answers.marks
    if marks:
        ends = (
            "" if answers.interval is None else " (95 % interval {:.3f} to {:.3f})".format(*answers.interval)
        )
        clips = "clip" if len(marks) == 1 else "clips"
        sentences.append(f"Accuracy: {np.mean(marks):.3f} on {len(marks)} {clips}{ends}.")
    if answers.num_used:
        sentences.append(
            f"{answers.num_used} of these clips trained the model or selected it, so expect less on new ones."
        )
    if answers.unknown_labels:
        sentences.append(
            f"The model has no class {', '.join(answers.unknown_labels)}, so such clips don't count."
        )
    return sentences


def _table(answers: Answers) -> Table:
    is_part = any(record.start_s or record.end_s is not None for record, _ in answers.clips)
    is_labelled = any(record.label is not None for record, _ in answers.clips)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("clip", overflow="fold")
    if is_part:
        table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("class", overflow="fold")
    table.add_column("prob.", justify="right", no_wrap=True)
    table.add_column("second", overflow="fold")
    if is_labelled:
        table.add_column("label", overflow="fold")
        table.add_column("right", no_wrap=True)
    for record, prediction in answers.clips:
        cells = [answers.place(record)]
        if is_part:
            end = "end" if record.end_s is None else f"{record.end_s:.2f}"
            cells.append(f"{record.start_s:.2f}-{end}")
        first, *rest = prediction.ranking
        second = f"{rest[0][0]} {rest[0][1]:.2f}" if rest else ""
        cells += [first[0], f"{first[1]:.2f}", second]
        if is_labelled:
            cells += [record.label or "", _mark(record, answers, prediction)]
        table.add_row(*map(Text, cells), style="red" if cells[-1] == "no" and is_labelled else None)
    return table


def _mark(record: ClipRecord, answers: Answers, prediction: ClipPrediction) -> str:
    if record.label not in answers.class_names:
        return ""
    return "yes" if record.label == prediction.label else "no"


def write_answers(out: Path, answers: Answers, checkpoint: Path) -> None:
    """Write ``predictions.csv``, with the columns of a run's report, and ``predictions.json``.

    Args:
        out: Folder to write to.
        answers: The predictions.
        checkpoint: The checkpoint that made them.

    Raises:
        OSError: If a file can't be written.
    """
    names = answers.class_names
    rows = [
        [
            record.name,
            record.label,
            prediction.label,
            *(prediction.probabilities[name] for name in names),
            prediction.temporal_consistency,
        ]
        for record, prediction in answers.clips
    ]
    columns = ["name", "label", "predicted", *(f"p_{name}" for name in names), "temporal_consistency"]
    write_rows(out / RESULT_FILES[0], columns, rows)
    marks = answers.marks
    write_json(
        out / RESULT_FILES[1],
        {
            "checkpoint": str(checkpoint),
            "class_names": names,
            "accuracy": float(np.mean(marks)) if marks else None,
            "accuracy_interval": answers.interval,
            "num_labelled": len(marks),
            "num_used_in_training": answers.num_used,
            "clips": [
                _fields(record) | {"predicted": found.label, "probabilities": found.probabilities}
                for record, found in answers.clips
            ],
            "failures": [_fields(record) | {"reason": reason} for record, reason in answers.failures],
        },
    )


def _fields(record: ClipRecord) -> dict[str, Any]:
    return {
        "path": str(record.path),
        "start_s": record.start_s,
        "end_s": record.end_s,
        "roi": record.roi,
        "label": record.label,
    }
