"""Clips of one source as training, validation and test batches."""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Sampler

from tt_actions.clips.cache import FrameCache
from tt_actions.clips.dataset import ClipDataset, Sample, collate
from tt_actions.clips.joint_preprocessing import JointPreprocessing
from tt_actions.clips.preprocessing import Preprocessing
from tt_actions.clips.records import ClipRecord, Split, class_names, have_regions
from tt_actions.clips.samplers import EpochSampler, PartSampler, default_num_workers
from tt_actions.clips.source import ClipSource
from tt_actions.clips.splits import check_copies, split_clips
from tt_actions.clips.strokes import IDLE
from tt_actions.clips.timing import StrokeTiming, count_timing
from tt_actions.clips.typical import TypicalClip, find_typical
from tt_actions.errors import UserError


class ClipDataModule(pl.LightningDataModule):
    """Frame sequences of a source's clips or untrimmed recordings, split by group.

    Args:
        source: Where the clips come from.
        preprocessing: How video, or with a ``layout`` joints, become the network's input.
        batch_size: Clips in a batch, on each device.
        val_share: Share of the clips for validation, where the source does not prescribe the split, or 0.
        test_share: Share of the clips for test, where the source does not prescribe the split.
        split_seed: Seed of the split, apart from the training's seed so that seeds compare on one split.
        num_folds: Number of cross-validation folds; with it ``fold`` is the test set.
        fold: The fold to test on, 0 to ``num_folds`` - 1.
        balanced: Draw every class equally often in training.
        skip_unreadable: Go on without the files that can't be read instead of refusing the set.
        classes: Names of the classes, in the order of the network's outputs; None for those of the clips.
            Where a checkpoint is measured, those that it was trained for.
        cache_dir: Folder of the decoded frames.
        num_workers: Loader processes; None for what suits the machine.

    Raises:
        ValueError: If ``batch_size`` is not positive.
    """

    def __init__(
        self,
        source: ClipSource,
        preprocessing: Preprocessing | JointPreprocessing,
        batch_size: int = 16,
        val_share: float = 0.15,
        test_share: float = 0.2,
        split_seed: int = 0,
        num_folds: int | None = None,
        fold: int | None = None,
        balanced: bool = False,
        skip_unreadable: bool = False,
        classes: list[str] | None = None,
        cache_dir: Path = Path("data/cache"),
        num_workers: int | None = None,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise UserError(f"Expected `batch_size` to be at least 1, but got {batch_size}.")
        self.source = source
        self.preprocessing = preprocessing
        self.batch_size = batch_size
        self.val_share, self.test_share, self.split_seed = val_share, test_share, split_seed
        self.num_folds, self.fold = num_folds, fold
        self.balanced = balanced
        self.skip_unreadable = skip_unreadable
        self.classes = classes
        self.cache = FrameCache(Path(cache_dir))
        self.num_workers = default_num_workers() if num_workers is None else num_workers

    @property
    def plain_preprocessing(self) -> dict[str, Any]:
        """The preprocessing as plain types, as a checkpoint holds it."""
        return asdict(self.preprocessing)

    @property
    def layout(self) -> str | None:
        """Name of the joints' layout; None of frames."""
        return self.preprocessing.layout if isinstance(self.preprocessing, JointPreprocessing) else None

    @property
    def num_channels(self) -> int:
        """Channels *C* of a frame, or coordinates of a joint."""
        return self.preprocessing.num_channels

    @cached_property
    def listed(self) -> list[ClipRecord]:
        """The source's clips, before any is opened."""
        self.source.prepare()
        return self.source.records()

    @cached_property
    def records(self) -> list[ClipRecord]:
        """The source's clips that can be read, each with its split.

        Raises:
            UnreadableError: If clips can't be read, unless they are to be skipped.
            ValueError: If no clip of a class that is to be learnt is left then, or they can't be split.
        """
        records = self.cache.build(self.listed, self.preprocessing.spec, skip_unreadable=self.skip_unreadable)
        self._check_strokes_inside(records)
        there = class_names(records)
        lost = [name for name in class_names(self.listed) if name not in there]
        if lost and self.classes is None:
            raise UserError(
                f"Expected a clip of {', '.join(lost)} that can be read, but got none. "
                "Mend these files, or leave the class out."
            )
        records = split_clips(
            records, self.val_share, self.test_share, self.split_seed, self.num_folds, self.fold
        )
        check_copies(records, self.cache.digest)
        return records

    def _check_strokes_inside(self, records: list[ClipRecord]) -> None:
        spec = self.preprocessing.spec
        for record in records:
            if not record.strokes:
                continue
            end_s = record.start_s + len(self.cache.frames(record, spec)) / spec.fps
            if record.strokes[-1].start_s >= end_s:
                last = record.strokes[-1]
                raise UserError(
                    f"Expected the strokes of '{record.name}' within its {end_s:.3f} s, but got a "
                    f"{last.label} at {last.start_s:.3f} s. Correct the times, or give the whole video."
                )

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the network's outputs.

        Raises:
            ValueError: If no clip has a label and the classes are not given, or a clip is of another class.
        """
        names = class_names(self.listed)
        if not (names or self.classes):
            raise UserError(
                "Expected labelled clips, but none has a label. Fill the manifest's `label` column; clips "
                "without one can only be predicted: `tt-actions predict`."
            )
        if self.classes is not None and (unknown := [name for name in names if name not in self.classes]):
            raise UserError(
                f"Expected clips of {', '.join(self.classes)}, but got some of {', '.join(unknown)}. "
                "Leave these out, or train anew with their classes."
            )
        return list(self.classes or names)

    @property
    def num_classes(self) -> int:
        """Number of classes *K*."""
        return len(self.class_names)

    @property
    def is_untrimmed(self) -> bool:
        """Whether the recordings hold many strokes, with idle between."""
        return IDLE in self.class_names

    def prepare_data(self) -> None:
        """Decode the clips into the cache and split them, so that what is wrong with them is told here."""
        self.records  # noqa: B018 - kept

    def dataset(self, split: Split) -> ClipDataset:
        """Return one split's clips.

        Args:
            split: Which one; only train samples its frames at random.

        Raises:
            ValueError: If it holds no clips.
        """
        records = [record for record in self.records if record.split == split]
        if not records:
            raise UserError(
                f"Expected clips for {split}, but all {len(self.records)} are for test. "
                "Correct the manifest's split column."
            )
        return ClipDataset(
            records,
            self.class_names,
            self.cache,
            self.preprocessing.spec,
            self.preprocessing.num_frames,
            self.preprocessing.sampling,
            training=split == "train",
        )

    def timing(self) -> StrokeTiming | None:
        """Count how long strokes last on the training recordings, and what follows what; None for clips."""
        if not self.is_untrimmed:
            return None
        dataset = self.dataset("train")
        lengths = [len(self.cache.frames(record, dataset.spec)) for record in dataset.records]
        sequences = (
            (dataset.frame_labels(index, np.arange(length)).numpy(), dataset.strokes(index))
            for index, length in enumerate(lengths)
        )
        return count_timing(sequences, self.class_names, dataset.spec.fps)

    def typical_clip(self) -> TypicalClip | None:
        """Measure the training clips; None for untrimmed recordings and for joints."""
        if self.is_untrimmed or isinstance(self.preprocessing, JointPreprocessing):
            return None
        dataset = self.dataset("train")
        clips = (self.cache.frames(record, dataset.spec) for record in dataset.records)
        return find_typical(clips, dataset.spec.fps)

    def has_regions(self) -> bool:
        """Whether most training clips have a region of their own; joints have none."""
        training = [record for record in self.records if record.split == "train"]
        return not isinstance(self.preprocessing, JointPreprocessing) and have_regions(training)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return shuffled batches of the training clips.

        Raises:
            ValueError: If untrimmed recordings are to be drawn by class.
        """
        dataset = self.dataset("train")
        if self.balanced and self.is_untrimmed:
            raise UserError(
                "Expected clips of one stroke with `balanced`, but got untrimmed recordings, which hold all "
                "classes. Set `model.class_weights` instead."
            )
        labels = [record.label for record in (dataset.records[index] for index in dataset.items)]
        epoch = self.trainer.current_epoch if self.trainer else 0
        return self._loader(dataset, EpochSampler(labels, self.balanced, epoch))

    def val_dataloader(self) -> DataLoader[Sample] | list[DataLoader[Sample]]:
        """Return batches of the validation clips; no loader where none are wanted."""
        if not self.val_share and all(record.split != "val" for record in self.records):
            return []
        return self._loader(self.dataset("val"))

    def test_dataloader(self) -> DataLoader[Sample]:
        """Return batches of the test clips.

        Raises:
            ValueError: If they have no labels.
        """
        dataset = self.dataset("test")
        if any(not record.labels for record in dataset.records):
            raise UserError(
                "Expected labelled clips to test on, but they have no labels. "
                "Fill the manifest's `label` column, or use `tt-actions predict`."
            )
        return self._loader(dataset)

    def predict_dataloader(self) -> DataLoader[Sample]:
        """Return batches of the test clips, which need no labels."""
        return self._loader(self.dataset("test"))

    def _loader(
        self, dataset: ClipDataset, order: Sampler[tuple[int, int]] | None = None
    ) -> DataLoader[Sample]:
        trainer = self.trainer
        num_processes, process = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        whole = self.is_untrimmed and not dataset.training
        return DataLoader(
            dataset,
            batch_size=1 if whole else self.batch_size,
            sampler=PartSampler(range(len(dataset)) if order is None else order, num_processes, process),
            num_workers=self.num_workers,
            collate_fn=collate,
            generator=torch.Generator(),  # or each pass would take of the numbers that augmentation draws
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            multiprocessing_context="spawn" if self.num_workers else None,
        )
