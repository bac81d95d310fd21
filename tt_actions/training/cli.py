"""The command line of experiments: it reads YAML and options, and starts a run."""

import os
import sys
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from filelock import FileLock
from jsonargparse import Namespace, set_parsing_settings
from pytorch_lightning.cli import ArgsType, LightningArgumentParser, LightningCLI

import tt_actions.training.joint_augmentation  # noqa: F401 - jsonargparse finds its class by name
from tt_actions.class_paths import with_current_paths
from tt_actions.clips.datamodule import ClipDataModule
from tt_actions.clips.preprocessing import make_preprocessing
from tt_actions.clips.unseen import check_unseen
from tt_actions.errors import UserError
from tt_actions.files import is_first_process
from tt_actions.recognition.checkpoint import read_checkpoint
from tt_actions.recognition.loading import with_pose
from tt_actions.training.checkpoints import check_fits, lineage
from tt_actions.training.compatibility import check_exact_fit, check_frames_are_learnt, check_one_process
from tt_actions.training.libraries import keep_freed_memory, quieten_libraries
from tt_actions.training.links import TakenLinks
from tt_actions.training.option_names import LINKS
from tt_actions.training.own_metrics import METRICS_HELP, check_metrics, check_validation_metric, make_metrics
from tt_actions.training.parser import QuietParser, check_classes, errors_of_options, refused_by_library
from tt_actions.training.resuming import check_changes
from tt_actions.training.run_directory import (
    RUN_DIR_VARIABLE,
    ChangedConfig,
    RunCSVLogger,
    WholeCheckpoints,
    create_run_dir,
    lock_run_dir,
    resumable_checkpoint,
)
from tt_actions.training.run_report import FIGURES_HELP, FigureFormats
from tt_actions.training.task import StrokeTask
from tt_actions.training.trainer import (
    ActionTrainer,
    check_trainer,
    launched_devices,
    make_profiler,
    run_callbacks,
)
from tt_actions.training.wandb_logger import Tracker, WandbOptions

quieten_libraries()
set_parsing_settings(omegaconf_absolute_to_relative_paths=True)

EVALUATION_COMMANDS = ("validate", "test")
"""Commands that evaluate a checkpoint without training."""

EVALUATED_SPLITS = {
    **dict.fromkeys(("train", "fit"), ("val", "test")),
    "validate": ("val",),
    "test": ("test",),
}
"""The splits on which each command reports metrics."""


class ActionCLI(LightningCLI):
    """Runs train, fit, validate or test with an experiment's YAML and options.

    Args:
        args: The arguments of the command line.
        resume: Directory of the run to resume, with its configuration and last checkpoint; None for a new
            run.
        pose: What finds the joints in videos when a checkpoint is evaluated; None for that of its training.
    """

    def __init__(self, args: list[str], resume: Path | None = None, pose: str | None = None) -> None:
        keep_freed_memory()
        args = with_current_paths(args)
        self.command, self.resume, self.pose = args[0], resume, pose
        self.lock: FileLock | None = None
        self.tracker: Tracker | None = None
        self.unchanged = args
        if resume:
            checkpoint = resumable_checkpoint(resume)
            run = ["--config", str(resume / "config.yaml"), "--ckpt_path", str(checkpoint)]
            self.unchanged = [args[0], *run]
            args = self.unchanged + args[1:]
            if is_first_process():
                self.lock = lock_run_dir(resume)  # before its checkpoint is read
        options: dict[str, Any] = {"parser_mode": "omegaconf+", "allow_abbrev": False}
        exit_code = 1
        try:
            super().__init__(
                StrokeTask,
                ClipDataModule,
                trainer_class=ActionTrainer,
                parser_class=QuietParser,
                seed_everything_default=0,
                auto_configure_optimizers=False,
                parser_kwargs=dict.fromkeys(self.subcommands(), options) | options,
                save_config_kwargs={"overwrite": True},
                args=args,
            )
            exit_code = 0
        finally:
            if self.tracker:
                self.tracker.finish(exit_code)
            if self.lock:
                self.lock.release()

    def _add_instantiators(self) -> None:
        super()._add_instantiators()
        own = TakenLinks(self, "model")
        self.parser.add_instantiator(own, StrokeTask, subclasses=False, prepend=True)

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        """Return the command that runs, with the names of the arguments that users can't set.

        The parsers of the other commands would only take time.
        """
        commands = {"train": {"model", "datamodule"}, **LightningCLI.subcommands()}
        return {self.command: commands[self.command] | {"weights_only"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of a run, and link the model's arguments to the data.

        Args:
            parser: A subcommand's parser.
        """
        parser.add_argument(
            "--experiment",
            type=str | None,
            default=None,
            help="Name of the experiment and of the folder of its runs (default: the name of the YAML file).",
        )
        parser.add_argument("--runs", type=Path, default=Path("runs"), help="Folder for all run directories.")
        parser.add_argument(
            "--monitor",
            type=str | None,
            default="val/loss",
            help="Validation metric that selects the best checkpoint: the lowest value of a loss, the "
            "highest value of any other metric. With null, the last checkpoint counts as best.",
        )
        parser.add_argument(
            "--compile",
            type=bool,
            default=False,
            help="Compile the network with torch.compile. Checkpoints stay the same.",
        )
        parser.add_argument(
            "--metrics", type=list[dict[str, Any] | str] | None, default=None, help=METRICS_HELP
        )
        shown = (
            "Show published results next to those of a test (default: only for cnn_lstm on its four strokes)."
        )
        parser.add_argument("--published", type=bool | None, default=None, help=shown)
        parser.add_argument("--figures", type=FigureFormats | None, default=None, help=FIGURES_HELP)
        parser.add_class_arguments(WandbOptions, "wandb")
        for of_data, of_model in LINKS:
            parser.link_arguments(f"data.{of_data}", f"model.{of_model}", apply_on="instantiate")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parse and check the arguments of the command line.

        Args:
            parser: The parser of the command.
            args: The arguments.

        Raises:
            FileNotFoundError: If the checkpoint does not exist.
            ValueError: If the monitored metric is no validation metric, the checkpoint is missing or not a
                checkpoint of tt_actions, or a run is resumed with options that can't change.
        """
        assert isinstance(args, list)
        self.config = parser.parse_args(args)
        command = self.config.subcommand
        if self.config[command].experiment is None:
            self.config[command].experiment = _name_of(args)
        own = check_metrics(self.config[command].metrics)
        check_classes({key: value for key, value in vars(self.config[command]).items() if key != "metrics"})
        self._check_monitor(self.config[command], own)
        if self.config[command].trainer.logger is not None:
            raise UserError(
                "Expected no `trainer.logger`, because every run writes metrics.csv and `wandb.*` sets "
                f"W&B, but got {self.config[command].trainer.logger}. Remove it."
            )
        path = self.config[command].ckpt_path
        if path:
            self.checkpoint = read_checkpoint(path)
        elif command in EVALUATION_COMMANDS:
            raise UserError(
                f"Expected `--ckpt_path`, the checkpoint to {command}, but got none. "
                "Pass one such as runs/cnn_lstm/version_0/checkpoints/best.ckpt."
            )

        self.is_changed = args != self.unchanged
        if self.is_changed:
            before = parser.parse_args(self.unchanged)[command]
            check_changes(before, self.config[command], self.checkpoint)

    def _check_monitor(self, config: Namespace, own: list[str]) -> None:
        if config.monitor is None:
            return
        check_validation_metric(config.monitor, "monitor", own)
        if config.data.val_share == 0:
            raise UserError(
                f"Expected validation clips for `monitor` {config.monitor}, but got `data.val_share` 0. "
                "Raise it, or use `--monitor null`: then the last checkpoint counts as best."
            )

    def _parse_ckpt_path(self) -> None:
        """Take the model's arguments from the checkpoint, except for a resumed run, which has its own.

        To evaluate a checkpoint, its preprocessing and classes replace those of the config.
        """
        if self.resume:
            return
        super()._parse_ckpt_path()
        command = self.config.subcommand
        if command in EVALUATION_COMMANDS:
            trained = self.checkpoint["hyper_parameters"]
            preprocessing = make_preprocessing(trained["preprocessing"])
            if self.pose is not None:
                preprocessing = with_pose(preprocessing, self.pose)
            data = {
                "preprocessing": asdict(preprocessing),
                "classes": list(trained["class_names"]),
            }
            self.config = self.parser.parse_object({command: {"data": data}}, self.config)

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[pl.Callback]) -> pl.Trainer:
        with refused_by_library("trainer"):
            return super()._instantiate_trainer(config, callbacks)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Decode the clips, and create the trainer with the run's directory, loggers and callbacks.

        Args:
            kwargs: Further arguments of the trainer.
        """
        config = self.config[str(self.subcommand)]
        self.model.add_metrics(make_metrics(config.metrics, len(self.model.class_names)))
        self._prepare()
        kwargs |= launched_devices(config.trainer.devices, config.trainer.num_nodes)
        if config.trainer.fast_dev_run:
            return super().instantiate_trainer(logger=False, **kwargs)
        run_dir = self.resume or create_run_dir(config.runs, config.experiment)
        if not self.resume and is_first_process():
            self.lock = lock_run_dir(run_dir)
        os.environ[RUN_DIR_VARIABLE] = str(run_dir)
        shown = config.published, config.figures
        callbacks = run_callbacks(
            run_dir, config.seed_everything, config.monitor, self.datamodule.is_untrimmed, *shown
        )
        self.trainer_defaults = {"callbacks": callbacks}
        step = None
        if self.resume:
            self.save_config_callback = ChangedConfig if self.is_changed else None
            step = self.checkpoint["global_step"]
        loggers: list[Any] = [RunCSVLogger(run_dir, step)]
        options = WandbOptions(**config.wandb.as_dict())
        if not options.is_disabled:
            self.tracker = Tracker(
                options, run_dir, config.experiment, str(self.subcommand), self.config_dump
            )
            loggers.append(self.tracker)
        if config.trainer.enable_progress_bar is None:
            kwargs["enable_progress_bar"] = sys.stdout.isatty()
        if config.trainer.enable_model_summary is None:
            kwargs["enable_model_summary"] = False
        if not config.trainer.plugins:
            kwargs["plugins"] = [WholeCheckpoints()]
        if isinstance(config.trainer.profiler, str):
            kwargs["profiler"] = make_profiler(config.trainer.profiler, run_dir)
        trainer = super().instantiate_trainer(logger=loggers, default_root_dir=run_dir, **kwargs)
        check_trainer(trainer, config.trainer.precision)
        return trainer

    def _prepare(self) -> None:
        """Load the initial weights and decode the clips, before a run directory is created.

        An error here leaves no files behind.
        """
        config = self.config[str(self.subcommand)]
        if self._is_fit:
            is_cut_short = config.trainer.max_steps != -1 or config.trainer.max_time is not None
            check_exact_fit(self.model.network, is_cut_short, self.datamodule.balanced)
            if self.datamodule.is_untrimmed:
                options = self.config[str(self.subcommand)].model
                check_frames_are_learnt(
                    self.model.network,
                    self.model.frame_loss,
                    options.class_weights is not None,
                    self.model.label_smoothing,
                )
        if self.resume:
            check_fits(self.model, self.checkpoint)
        elif not config.ckpt_path:
            self.model.take_initial_weights()
        self.datamodule.prepare_data()
        if self._is_fit:
            self.model.recognizer.timing = self.datamodule.timing()
            self.model.recognizer.typical_clip = self.datamodule.typical_clip()
            self.model.recognizer.typical_swing = self.datamodule.typical_swing()
            self.model.recognizer.has_regions = self.datamodule.has_regions()
        self._check_measured((None if self.resume else config.ckpt_path) or self.model.init_from)

    def _check_measured(self, begun_with: str | None) -> None:
        """Check that there are clips to validate, and that training has not seen those that are measured."""
        measured = [r for r in self.datamodule.records if r.split in EVALUATED_SPLITS[str(self.subcommand)]]
        if self.subcommand == "validate" and not measured:
            raise UserError(
                "Expected validation clips, but the experiment has none (`val_share` is "
                f"{self.datamodule.val_share:g}). Use `test`, or train with validation clips."
            )
        for checkpoint in lineage(begun_with):
            check_unseen(checkpoint.parent.parent, measured, self.datamodule.cache.digest)

    @property
    def _is_fit(self) -> bool:
        """Whether the command trains a model and is no dry run (``fast_dev_run``)."""
        config = self.config[str(self.subcommand)]
        return self.subcommand not in EVALUATION_COMMANDS and not config.trainer.fast_dev_run

    def instantiate_classes(self) -> None:
        """Create data, model and trainer, and compile the network if requested."""
        with errors_of_options():
            super().instantiate_classes()
        if self._is_fit:
            check_one_process(self.model.network, self.trainer.world_size)
        if self.config[str(self.subcommand)].compile:
            # in place, to keep a checkpoint's keys; not dynamic, since some networks fail with dynamic shapes
            self.model.network.compile(dynamic=False)


def _name_of(args: list[str]) -> str:
    """Return the name of the first YAML file of an experiment."""
    for flag, value in pairwise([*args, ""]):
        name, _, joined = flag.partition("=")
        if name in ("--config", "-c"):
            return Path(joined or value).stem
    return "experiment"
