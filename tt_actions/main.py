"""The command line: what a command needs is imported when it runs, so that help is quick."""

import argparse
import os
import sys
import warnings
from pathlib import Path

from tt_actions.errors import UserError

COMMANDS = {
    "train": "fit, test the best checkpoint and write the report: what `make train` calls",
    "fit": "train and validate only",
    "validate": "measure a checkpoint on the validation clips",
    "test": "measure a checkpoint on the test clips and write the report",
    "predict": "write a checkpoint's predictions on the test clips, or on all of a manifest without labels",
    "explain": "show which pixels of a clip speak for a class, and the classes' probabilities over time",
    "analyze": "find the strokes in a match: tables, the video with its strokes drawn on it, and a page",
    "live": "find the strokes in a camera's, a stream's or a file's video while it runs",
    "coach": "say what is wrong in a stroke, by reference strokes, and how to correct it: a page and tables",
    "export": "write a model's graphs in ONNX or TorchScript, checked against it, and say what int8 brings",
    "compare": "train several experiments with several seeds on one split, and write tables and figures",
    "sweep": "search over an experiment's options: with W&B where one is logged in, else with Optuna",
    "synth": "draw synthetic strokes: videos with exact ground truth",
    "check": "say what a folder or a manifest of clips, or annotations, hold",
}


def main(args: list[str] | None = None) -> None:
    """Run a command.

    Args:
        args: The command and its options; None takes them from the process's command line, and then an error
            of the user's ends the process with one line instead of a traceback.

    Raises:
        ValueError: If an option or the data are not as expected.
        OSError: If a file is missing or can't be written.
        FloatingPointError: If a training's loss is not finite.
    """
    if args is not None:
        _run(args)
        return
    warnings.formatwarning = _one_line
    try:
        _run(sys.argv[1:])
    except (ValueError, OSError, FloatingPointError) as error:
        if os.environ.get("TT_ACTIONS_TRACEBACK"):
            raise
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        sys.exit(130)


def _one_line(message: Warning | str, category: type[Warning], *_: object, **__: object) -> str:
    """What is told of a user's data, without the line of code that tells it."""
    return f"{'warning' if issubclass(category, UserWarning) else category.__name__}: {message}\n"


def _run(args: list[str]) -> None:
    command, rest = (args[0], args[1:]) if args else ("--help", [])
    own = {
        "synth": _synth,
        "check": _check,
        "compare": _compare,
        "explain": _explain,
        "live": _live,
        "analyze": _analyze,
        "coach": _coach,
        "export": _export,
        "sweep": _sweep,
    }
    rest = _trust(rest)
    if command in own:
        own[command](rest)
    elif command in COMMANDS:
        _lightning(command, rest)
    else:
        lines = [f"  {name:<10}{text}" for name, text in COMMANDS.items()]
        usage = "\n".join(["usage: tt-actions COMMAND [OPTIONS]", "", "commands:", *lines, ""])
        if command in ("-h", "--help"):
            sys.stdout.write(f"{usage}\n`tt-actions COMMAND --help` explains a command's options.\n")
            sys.stdout.write(
                "`--trust PACKAGE`, with any of them, lets YAML files and checkpoints name its classes.\n"
            )
        else:
            sys.exit(f"{usage}\nerror: Expected one of these commands, but got '{command}'.")


def _trust(args: list[str]) -> list[str]:
    """Trust the packages of ``--trust``, and return the other options; trainings of their own get it too."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--trust", action="append", default=[])
    known, rest = parser.parse_known_args(args)
    if known.trust:
        from tt_actions.class_paths import TRUST_VARIABLE, trust

        trust(known.trust)
        os.environ[TRUST_VARIABLE] = ",".join(known.trust)
    return rest


def _lightning(command: str, rest: list[str]) -> None:
    """Hand over to Lightning; ``train --resume DIR [OPTIONS]`` takes config and checkpoint from a run."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--resume", type=Path)
    known, rest = parser.parse_known_args(rest)
    from lightning_fabric.utilities.exceptions import MisconfigurationException
    from pytorch_lightning.utilities.exceptions import SIGTERMException

    from tt_actions.training.cli import ActionCLI
    from tt_actions.training.parser import meant
    from tt_actions.training.processes import leave_group
    from tt_actions.training.run_directory import RUN_DIR_VARIABLE

    if known.resume and command not in ("train", "fit"):
        raise UserError(
            f"Expected `--resume` with train or fit, but got it with {command}. "
            f"Name a checkpoint: `tt-actions {command} --config {known.resume}/config.yaml "
            f"--ckpt_path {known.resume}/checkpoints/best.ckpt`."
        )
    try:
        ActionCLI([command, *rest], resume=known.resume)
    except (MisconfigurationException, ValueError) as error:
        raise ValueError(meant(str(error))) from error
    except SIGTERMException:
        sys.exit(143)  # what a shell gives a program that SIGTERM ended; Lightning's is 0
    except SystemExit as end:
        # what a shell gives a program that Ctrl-C ended; Lightning's is 1
        sys.exit(130 if isinstance(end.__context__, KeyboardInterrupt) else end.code)
    finally:
        os.environ.pop(RUN_DIR_VARIABLE, None)
    leave_group()  # not where one failed: the others may not answer any more


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"Expected WxH such as 320x240, but got '{text}'.")
    return int(width), int(height)


def _synth(args: list[str]) -> None:
    parser = argparse.ArgumentParser("tt-actions synth", description=COMMANDS["synth"], allow_abbrev=False)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made if absent")
    parser.add_argument("--clips", type=int, default=565, help="number of clips of one stroke")
    parser.add_argument("--players", type=int, default=40, help="number of players")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument("--rallies", type=int, default=0, help="number of rallies")
    parser.add_argument("--halls", type=int, default=1, help="number of halls to draw them in")
    parser.add_argument("--rally-seconds", type=float, default=60.0, help="length of a rally in seconds")
    parser.add_argument("--size", type=_size, default=(320, 240), help="picture size WxH in pixels")
    parser.add_argument("--depth", action="store_true", help="write depth maps too")
    parser.add_argument("--silhouettes", action="store_true", help="write the players' silhouettes too")
    parser.add_argument("--workers", type=int, default=None, help="processes; all cores unless given")
    options = parser.parse_args(args)
    from tt_actions.sources.synthetic.generate import synthesize
    from tt_actions.sources.synthetic.scene import World

    synthesize(
        options.out,
        num_clips=options.clips,
        num_players=options.players,
        seed=options.seed,
        size=options.size,
        num_rallies=options.rallies,
        rally_s=options.rally_seconds,
        world=World(halls=options.halls),
        depth=options.depth,
        silhouettes=options.silhouettes,
        num_workers=options.workers,
    )


def _check(args: list[str]) -> None:
    parser = argparse.ArgumentParser("tt-actions check", description=COMMANDS["check"])
    parser.add_argument(
        "data", type=Path, help="a folder with a folder a class, a manifest CSV, or annotations"
    )
    parser.add_argument("--layout", help="of files of joints, such as ntu25")
    options = parser.parse_args(args)
    from tt_actions.sources.check import check

    sys.exit(check(options.data, options.layout))


def _compare(args: list[str]) -> None:
    parser = argparse.ArgumentParser(
        "tt-actions compare",
        description=COMMANDS["compare"],
        epilog="All other options go to every training: `tt-actions train --help`.",
        allow_abbrev=False,
    )
    default = ["cnn", "lstm", "mof", "cnn_lstm", "cnn_lstm_plus"]
    parser.add_argument(
        "--models", nargs="+", default=default, help=f"experiments or their YAML files; {' '.join(default)}"
    )
    parser.add_argument("--seeds", type=int, help="number of training seeds; 3, with --quick 1")
    parser.add_argument("--data", type=Path, help="a folder or a manifest of clips instead of drawn ones")
    parser.add_argument("--quick", action="store_true", help="a few clips and epochs, to see that all runs")
    parser.add_argument(
        "--out", type=Path, help="where to write; runs/compare, with --quick runs/compare_quick"
    )
    options, rest = parser.parse_known_args(args)
    from tt_actions.studies.compare import compare

    seeds = options.seeds if options.seeds is not None else 1 if options.quick else 3
    out = options.out or Path("runs/compare_quick" if options.quick else "runs/compare")
    sys.exit(compare(options.models, seeds, out, options.data, options.quick, rest))


def _roi(text: str) -> tuple[int, ...]:
    corners = text.split(",")
    if len(corners) != 4 or not all(corner.strip().isdecimal() for corner in corners):
        raise argparse.ArgumentTypeError(f"Expected x0,y0,x1,y1 such as 0,0,852,410, but got '{text}'.")
    return tuple(map(int, corners))


def _explain(args: list[str]) -> None:
    parser = argparse.ArgumentParser(
        "tt-actions explain", description=COMMANDS["explain"], allow_abbrev=False
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of a trained model")
    parser.add_argument("--clip", type=Path, required=True, help="the video file")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made if absent")
    parser.add_argument("--start-s", type=float, default=0.0, help="start of the clip in seconds; 0")
    parser.add_argument("--end-s", type=float, help="end of the clip in seconds; that of the file")
    parser.add_argument("--roi", type=_roi, help="region x0,y0,x1,y1 in pixels; that of the training")
    parser.add_argument("--class", dest="class_name", help="class to explain; the likeliest")
    parser.add_argument(
        "--method",
        choices=("hirescam", "grad-cam"),
        default="hirescam",
        help="how a feature map counts: place by place, or by its mean gradient; hirescam",
    )
    options = vars(parser.parse_args(args))
    from tt_actions.evaluation.explanation import explain_file

    explain_file(**options)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"Expected names such as left,right, but got '{text}'.")
    return names


def _live(args: list[str]) -> None:
    parser = argparse.ArgumentParser("tt-actions live", description=COMMANDS["live"], allow_abbrev=False)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of a trained model")
    parser.add_argument(
        "--source",
        required=True,
        help="a camera's number, a stream such as rtsp://..., or a video file, paced at real time",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made if absent")
    parser.add_argument("--players", type=_names, default=(), help="names, such as left,right; one player")
    parser.add_argument(
        "--roi",
        dest="rois",
        type=_roi,
        action="append",
        default=[],
        help="region x0,y0,x1,y1 in pixels, once for each player or once for all; that of the training",
    )
    parser.add_argument(
        "--crop", choices=("none", "motion"), help="whether to follow the player; as in the training"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to serve the page at; 127.0.0.1")
    parser.add_argument("--port", type=int, default=8000, help="port of the page; 8000; 0 for any")
    parser.add_argument(
        "--no-page", dest="has_page", action="store_false", help="whether to do without the page"
    )
    parser.add_argument(
        "--retry-s", type=float, default=30.0, help="seconds for which a lost source is tried again; 30"
    )
    parser.add_argument("--lag", type=int, help="frames a stroke may wait to be sure; for half a second")
    options = vars(parser.parse_args(args))
    from tt_actions.match.live.command import live

    live(**options)


def _analyze(args: list[str]) -> None:
    parser = argparse.ArgumentParser(
        "tt-actions analyze", description=COMMANDS["analyze"], allow_abbrev=False
    )
    parser.add_argument("source", type=Path, help="a video, a folder of videos or a manifest CSV")
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of a trained model")
    parser.add_argument(
        "--out", type=Path, help="folder of the results, or of one for each video; runs/analysis/<source>"
    )
    parser.add_argument(
        "--players", type=_names, default=(), help="names from left to right: left,right halves the picture"
    )
    parser.add_argument(
        "--roi", type=_roi, action="append", default=[], help="a player's region x0,y0,x1,y1; may be repeated"
    )
    parser.add_argument(
        "--crop", choices=("none", "motion"), help="follow who moves most in each region, or not; as trained"
    )
    parser.add_argument(
        "--no-video", action="store_true", help="leave out annotated.mp4, which takes longest"
    )
    parser.add_argument(
        "--engine", choices=("torch", "onnx"), default="torch", help="onnx: what `export` has written; torch"
    )
    options = parser.parse_args(args)
    from tt_actions.match.jobs import Options, analyze_files

    how = Options(options.players, tuple(options.roi), options.crop, not options.no_video, options.engine)
    sys.exit(analyze_files(options.source, options.checkpoint, options.out, how))


def _coach(args: list[str]) -> None:
    parser = argparse.ArgumentParser("tt-actions coach", description=COMMANDS["coach"], allow_abbrev=False)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of a model of joints")
    parser.add_argument(
        "--input", type=Path, required=True, help="a file of joints, or a video with --joints or --pose"
    )
    parser.add_argument(
        "--reference",
        type=Path,
        help="files of joints, a folder a class, or a manifest CSV; else the training clips",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made if absent")
    parser.add_argument("--joints", type=Path, help="the joints in the video, a row a frame")
    parser.add_argument("--pose", help="onnx:MODEL, which finds the joints in the video")
    parser.add_argument("--class", dest="class_name", help="which stroke it is; the likeliest")
    parser.add_argument(
        "--hand", choices=("left", "right"), help="which plays; the one that fits the references"
    )
    parser.add_argument("--fps", type=float, help="frames a second of files that don't tell; the training's")
    options = vars(parser.parse_args(args))
    from tt_actions.coach.command import coach_file

    sys.stdout.write(coach_file(**options))


def _export(args: list[str]) -> None:
    parser = argparse.ArgumentParser("tt-actions export", description=COMMANDS["export"], allow_abbrev=False)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint of a trained model")
    parser.add_argument(
        "--format", choices=("onnx", "torchscript"), default="onnx", help="what to write the graphs in; onnx"
    )
    parser.add_argument("--out", type=Path, help="folder to write to; best_onnx beside best.ckpt")
    parser.add_argument("--int8", action="store_true", help="write int8 graphs too, and measure them")
    parser.add_argument(
        "--data", type=Path, help="labelled clips to calibrate and measure int8 on; those of the training"
    )
    options = vars(parser.parse_args(args))
    from tt_actions.export import export_model

    export_model(**options)


def _sweep(args: list[str]) -> None:
    parser = argparse.ArgumentParser(
        "tt-actions sweep",
        description=COMMANDS["sweep"],
        epilog="All other options go to every training: `tt-actions train --help`.",
        allow_abbrev=False,
    )
    parser.add_argument("sweep", help="name of a file in experiments/sweeps, or a YAML file")
    parser.add_argument("--data", type=Path, help="a folder or a manifest of clips instead of drawn ones")
    parser.add_argument(
        "--storage", help="database that workers share, an Optuna URL; an SQLite file in --out unless given"
    )
    parser.add_argument("--out", type=Path, default=Path("runs/sweeps"), help="where to write; runs/sweeps")
    options, rest = parser.parse_known_args(args)
    from tt_actions.studies.sweep import sweep

    sys.exit(sweep(options.sweep, options.out, options.data, options.storage, rest))


if __name__ == "__main__":
    main()
