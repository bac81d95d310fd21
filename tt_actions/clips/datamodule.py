"""Training, validation and test batches from the clips of one source."""

from dataclasses import asdict, replace
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
from tt_actions.clips.shares import keep_share
from tt_actions.clips.source import ClipSource
from tt_actions.clips.splits import check_copies, split_clips
from tt_actions.clips.strokes import IDLE, NO_STROKE
from tt_actions.clips.timing import StrokeTiming, count_timing
from tt_actions.clips.typical import TypicalClip, find_typical
from tt_actions.clips.typical_swing import TypicalSwing, find_typical_swing
from tt_actions.errors import UserError
from tt_actions.skeleton.files import SUFFIXES
from tt_actions.skeleton.layouts import PATHS, find_layout
from tt_actions.video.info import probe


class ClipDataModule(pl.LightningDataModule):
    """Clips or untrimmed recordings of a source as batches, with training and test sets split by group.

    Args:
        source: Where the clips come from.
        preprocessing: How video (or joints, if ``layout`` is given) becomes the input of the network.
        batch_size: Number of clips per batch on each device.
        val_share: Share of the clips used for validation, or 0 for none. A split that the source prescribes
            takes precedence.
        test_share: Share of the clips used for testing. A split that the source prescribes takes precedence.
        split_seed: Seed of the split. It is separate from the training seed, so that runs with different
            training seeds use the same split.
        train_share: Share of the training clips to train on, in whole groups, to see how accuracy depends on
            their number. A smaller share is part of a larger one.
        share_seed: Seed of the choice of this share.
        num_folds: Number of cross-validation folds. Fold number ``fold`` is then the test set.
        fold: Number of the fold to test on, from 0 to ``num_folds`` - 1.
        balanced: Whether to draw every class equally often in training.
        skip_unreadable: Whether to skip unreadable files instead of stopping with an error.
        classes: Names of the classes, in the order of the network's outputs (default: the classes of the
            clips or, when a checkpoint is evaluated, those that it was trained on).
        cache_dir: Folder in which decoded frames are cached.
        num_workers: Number of loader processes (default: a number that suits the machine).

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
        train_share: float = 1.0,
        share_seed: int = 0,
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
        self.train_share, self.share_seed = train_share, share_seed
        self.num_folds, self.fold = num_folds, fold
        self.balanced = balanced
        self.skip_unreadable = skip_unreadable
        self.classes = classes
        self.cache = FrameCache(Path(cache_dir))
        self.num_workers = default_num_workers() if num_workers is None else num_workers

    @property
    def plain_preprocessing(self) -> dict[str, Any]:
        """The preprocessing as plain types, as a checkpoint stores it."""
        return asdict(self.preprocessing)

    @property
    def layout(self) -> str | None:
        """Name of the joint layout, or None for video frames."""
        return self.preprocessing.layout if isinstance(self.preprocessing, JointPreprocessing) else None

    @property
    def num_channels(self) -> int:
        """Number of channels *C* of a frame, or of coordinates of a joint."""
        return self.preprocessing.num_channels

    @cached_property
    def all_records(self) -> list[ClipRecord]:
        """All clips of the source, before any file is opened."""
        self.source.prepare()
        return self.source.records()

    @cached_property
    def records(self) -> list[ClipRecord]:
        """The readable clips of the source, each with its split.

        Raises:
            UnreadableError: If clips can't be read, and ``skip_unreadable`` is not set.
            ValueError: If a class has no readable clip, or the clips can't be split.
        """
        records = self.cache.build(
            self.all_records, self.preprocessing.spec, skip_unreadable=self.skip_unreadable
        )
        self._check_strokes_inside(records)
        readable = class_names(records)
        missing = [name for name in class_names(self.all_records) if name not in readable]
        if missing and self.classes is None:
            raise UserError(
                f"Expected at least one readable clip of {', '.join(missing)}, but got none. "
                "Repair these files, or remove the class."
            )
        records = split_clips(
            records, self.val_share, self.test_share, self.split_seed, self.num_folds, self.fold
        )
        check_copies(records, self.cache.digest)
        return keep_share(records, self.train_share, self.share_seed)

    def _check_strokes_inside(self, records: list[ClipRecord]) -> None:
        spec = self.preprocessing.spec
        for record in records:
            if not record.strokes:
                continue
            end_s = record.start_s + len(self.cache.frames(record, spec)) / spec.fps
            if record.strokes[-1].start_s >= end_s:
                last = record.strokes[-1]
                raise UserError(
                    f"Expected the strokes of '{record.name}' within its duration of {end_s:.3f} s, but got "
                    f"a {last.label} at {last.start_s:.3f} s. Correct the times, or use the complete video."
                )

    @cached_property
    def class_names(self) -> list[str]:
        """Names of the classes, in the order of the network's outputs.

        Raises:
            ValueError: If no clip has a label and ``classes`` is None, or a clip's class is not in it.
        """
        names = class_names(self.all_records)
        if not (names or self.classes):
            raise UserError(
                "Expected labelled clips, but none has a label. Fill in the manifest's `label` column, or "
                "use `tt-actions predict`, which needs no labels."
            )
        if self.classes is not None and (unknown := [name for name in names if name not in self.classes]):
            raise UserError(
                f"Expected clips of {', '.join(self.classes)} only, but got clips of {', '.join(unknown)}. "
                "Remove these clips, or train a new model with their classes."
            )
        return list(self.classes or names)

    @property
    def num_classes(self) -> int:
        """Number of classes *K*."""
        return len(self.class_names)

    @property
    def is_untrimmed(self) -> bool:
        """Whether the clips are untrimmed recordings, with many strokes and idle time between them."""
        return IDLE in self.class_names

    def prepare_data(self) -> None:
        """Decode the clips into the cache and split them, so that errors appear before training starts."""
        self.records  # noqa: B018 - a cached property

    def dataset(self, split: Split) -> ClipDataset:
        """Return the clips of one split.

        Args:
            split: The split; only ``train`` samples its frames at random.

        Raises:
            ValueError: If the split has no clips.
        """
        records = [record for record in self.records if record.split == split]
        if not records:
            raise UserError(
                f"Expected clips for {split}, but all {len(self.records)} clips are for test. "
                "Correct the manifest's `split` column."
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
        """Count stroke durations and transitions in the training recordings; None for clips."""
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
        """Return statistics of the training clips; None for untrimmed recordings and for joints."""
        if self.is_untrimmed or isinstance(self.preprocessing, JointPreprocessing):
            return None
        spec = self.dataset("train").spec
        return find_typical((self.cache.frames(record, spec) for record in self._strokes()), spec.fps)

    def typical_swing(self) -> TypicalSwing | None:
        """Return statistics of the swings in training clips of joints; None for other clips."""
        if self.is_untrimmed or not isinstance(self.preprocessing, JointPreprocessing):
            return None
        layout = find_layout(self.preprocessing.layout)
        if layout in PATHS:
            return None
        spec = self.dataset("train").spec
        clips = (self.cache.frames(record, spec) for record in self._strokes())
        return find_typical_swing(clips, layout, spec.fps)

    def _strokes(self) -> list[ClipRecord]:
        """List the training clips that show strokes."""
        strokes = [record for record in self.dataset("train").records if record.label != NO_STROKE]
        if not strokes:
            raise UserError(
                f"Expected training clips of strokes, but all have the label '{NO_STROKE}'. Add clips of "
                "strokes."
            )
        return strokes

    def has_regions(self) -> bool:
        """Whether most training clips have a region of their own.

        For joints, only a region below half of the picture counts: a larger one hides a margin, not a person.
        """
        training = [record for record in self.records if record.split == "train"]
        if isinstance(self.preprocessing, JointPreprocessing):
            in_videos = [record for record in training if record.path.suffix.lower() not in SUFFIXES]
            areas = {path: _picture_area(path) for path in {r.path for r in in_videos if r.roi is not None}}
            training = [
                record if _is_part(record, areas.get(record.path, 0)) else replace(record, roi=None)
                for record in training
            ]
        return have_regions(training)

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return shuffled batches of the training clips.

        Raises:
            ValueError: If ``balanced`` is set for untrimmed recordings.
        """
        dataset = self.dataset("train")
        if self.balanced and self.is_untrimmed:
            raise UserError(
                "Expected clips of one stroke with `balanced`, but got untrimmed recordings, which contain "
                "several classes. Set `model.class_weights` instead."
            )
        labels = [record.label for record in (dataset.records[index] for index in dataset.items)]
        epoch = self.trainer.current_epoch if self.trainer else 0
        return self._loader(dataset, EpochSampler(labels, self.balanced, epoch))

    def val_dataloader(self) -> DataLoader[Sample] | list[DataLoader[Sample]]:
        """Return batches of the validation clips, or no loader if there is no validation set."""
        if not self.val_share and all(record.split != "val" for record in self.records):
            return []
        return self._loader(self.dataset("val"))

    def test_dataloader(self) -> DataLoader[Sample]:
        """Return batches of the test clips.

        Raises:
            ValueError: If a test clip has no label.
        """
        dataset = self.dataset("test")
        if any(not record.labels for record in dataset.records):
            raise UserError(
                "Expected labelled clips for testing, but they have no labels. "
                "Fill in the manifest's `label` column, or use `tt-actions predict`."
            )
        return self._loader(dataset)

    def predict_dataloader(self) -> DataLoader[Sample]:
        """Return batches of the test clips, which need no labels for prediction."""
        return self._loader(self.dataset("test"))

    def _loader(
        self, dataset: ClipDataset, order: Sampler[tuple[int, int]] | None = None
    ) -> DataLoader[Sample]:
        trainer = self.trainer
        num_processes, process = (trainer.world_size, trainer.global_rank) if trainer else (1, 0)
        is_full_length = self.is_untrimmed and not dataset.training
        return DataLoader(
            dataset,
            batch_size=1 if is_full_length else self.batch_size,
            sampler=PartSampler(range(len(dataset)) if order is None else order, num_processes, process),
            num_workers=self.num_workers,
            collate_fn=collate,
            generator=torch.Generator(),  # otherwise a pass would use up random numbers of the augmentation
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.num_workers > 0,
            multiprocessing_context="spawn" if self.num_workers else None,
        )


def _picture_area(video: Path) -> int:
    info = probe(video)
    return info.width * info.height


def _is_part(record: ClipRecord, area: int) -> bool:
    """Return whether a clip shows less than half of its video's picture, which has this area in pixels."""
    if record.roi is None:
        return False
    x0, y0, x1, y1 = record.roi
    return 2 * (x1 - x0) * (y1 - y0) < area
