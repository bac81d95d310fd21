"""Pages that are made when the site is built: the commands' help, the Python rooms, and files of the root."""

import ast
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import tt_actions

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tt_actions"
ROOMS = (
    "studies",
    "export",
    "coach",
    "label",
    "match",
    "training",
    "evaluation",
    "recognition",
    "sources",
    "models",
    "clips",
    "skeleton",
    "video",
)
"""The rooms from top to bottom; a room that is not listed comes after them."""

COMMANDS = "reference/commands"
EXPERIMENT_COMMANDS = ("train", "fit", "validate", "test")
"""Commands whose usual help lists only some of their options."""

PYTHON = "reference/python"
FROM_ROOT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the generated pages to the navigation.

    Args:
        config: The site's.
    """
    from tt_actions.main import COMMANDS as COMMAND_NAMES

    commands = [{f"tt-actions {name}": f"{COMMANDS}/{name}.md"} for name in COMMAND_NAMES]
    rooms = [{name: f"{PYTHON}/{name}.md"} for name in _rooms()]
    for section in config.nav or ():
        if "Reference" in section:
            section["Reference"] += [
                {"Command line": [f"{COMMANDS}/index.md", *commands]},
                {"Python": [f"{PYTHON}/index.md", *rooms]},
            ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the figures of the notebooks.

    Args:
        files: Those of docs/.
        config: The site's.
    """
    for uri, content in _pages():
        files.append(File.generated(config, uri, content=content))
    for figure in sorted((ROOT / "notebooks" / "figures").glob("*.png")):
        files.append(File.generated(config, f"figures/{figure.name}", abs_src_path=str(figure)))
    return files


def _pages() -> Iterator[tuple[str, str]]:
    yield from _command_pages()
    yield from _python_pages()
    yield "reference/experiments.md", _experiments()
    for uri, name in FROM_ROOT.items():
        yield (
            uri,
            (ROOT / name)
            .read_text("utf-8")
            .replace("](docs/", "](")
            .replace("(CHANGELOG.md)", "(changelog.md)"),
        )


def _experiments() -> str:
    lines = ["# Experiments", "", "`make train EXP=name` runs one. Each is one complete YAML file.", ""]
    lines += ["| name | question | model | source |", "| --- | --- | --- | --- |"]
    for path in sorted((ROOT / "experiments").glob("*.yaml")):
        config = yaml.safe_load(path.read_text("utf-8"))
        model, source = config["model"]["network"], config["data"]["source"]
        cells = (f"`{path.stem}`", _question(path), f"`{_name(model)}`", f"`{_name(source)}`")
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "## Sweeps",
        "",
        "`make sweep SWEEP=name` runs one.",
        "",
        "| name | question |",
        "| --- | --- |",
    ]
    for path in sorted((ROOT / "experiments" / "sweeps").glob("*.yaml")):
        lines.append(f"| `{path.stem}` | {_question(path)} |")
    return "\n".join([*lines, ""])


def _question(path: Path) -> str:
    """The first sentence of a file, which is its question."""
    first = path.read_text("utf-8").splitlines()[0].lstrip("# ")
    return first.partition("?")[0] + "?"


def _name(part: dict[str, Any]) -> str:
    return str(part["class_path"]).rpartition(".")[2]


def _command_pages() -> Iterator[tuple[str, str]]:
    from tt_actions.main import COMMANDS as COMMAND_NAMES

    rows = [f"| [`{name}`]({name}.md) | {text} |" for name, text in COMMAND_NAMES.items()]
    table = "\n".join(["| command | purpose |", "| --- | --- |", *rows])
    note = "Every command takes `--trust PACKAGE`: see [Load a checkpoint safely](../../how-to/trust.md)."
    yield f"{COMMANDS}/index.md", f"# Command line\n\n{table}\n\n{note}\n"
    for name in COMMAND_NAMES:
        yield f"{COMMANDS}/{name}.md", f"# tt-actions {name}\n\n```text\n{_help(name)}```\n"


def _help(command: str) -> str:
    from tt_actions.main import main

    argv, columns, out = sys.argv, os.environ.get("COLUMNS"), io.StringIO()
    sys.argv, os.environ["COLUMNS"] = ["tt-actions"], "84"
    try:
        with redirect_stdout(out), suppress(SystemExit):
            main([command, "--help-all" if command in EXPERIMENT_COMMANDS else "--help"])
    finally:
        sys.argv = argv
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns
    text = out.getvalue()
    assert text.startswith("usage:"), f"no help of {command}"
    return text if text.endswith("\n") else f"{text}\n"


def _rooms() -> list[str]:
    found = [path.parent.name for path in sorted(PACKAGE.glob("*/__init__.py"))]
    return sorted(found, key=lambda name: ROOMS.index(name) if name in ROOMS else len(ROOMS))


def _python_pages() -> Iterator[tuple[str, str]]:
    links = [f"- [`tt_actions.{name}`]({name}.md): {_purpose(PACKAGE / name)}" for name in _rooms()]
    top = [path for path in sorted(PACKAGE.glob("*.py")) if path.stem not in ("__init__", "main")]
    lines = [
        "# Python",
        "",
        "The public face of the package: `import tt_actions` is all that a user needs.",
        "",
    ]
    lines += _directive("tt_actions", f"members: {sorted(tt_actions.__all__)}", "show_root_heading: false")
    lines += ["## Rooms", "", *links, "", "## Top-level modules", ""]
    for path in top:
        lines += _directive(f"tt_actions.{path.stem}", "heading_level: 3")
    yield f"{PYTHON}/index.md", "\n".join(lines)
    for name in _rooms():
        modules = [path for path in sorted((PACKAGE / name).rglob("*.py")) if path.stem != "__init__"]
        lines = [f"# tt_actions.{name}", "", _purpose(PACKAGE / name), ""]
        lines += [line for path in modules for line in _directive(_dotted(path))]
        yield f"{PYTHON}/{name}.md", "\n".join(lines)


def _directive(name: str, *options: str) -> list[str]:
    lines = [f"        {option}" for option in options]
    return [f"::: {name}", *(["    options:", *lines] if lines else []), ""]


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _purpose(room: Path) -> str:
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring)
