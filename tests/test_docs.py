"""What the README and the pages of docs/ say: their commands are understood, and what they name is there."""

import os
import re
import shlex
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tt_actions.main import COMMANDS, main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXTS = {str(path.relative_to(ROOT)): path.read_text("utf-8") for path in PAGES}
COMMAND = re.compile(
    r"(?:[A-Z_]+=\S+ )*(?:make|python|torchrun|srun|wandb|\S*bin/\w[\w-]*|tt-actions)(?: |$)"
)
LIGHTNING = ("train", "fit", "validate", "test")
OWN = {"my_model", "band_gru"}  # names that stand for the reader's
GENERATED = re.compile(
    r"(?:contributing|changelog)\.md|reference/(?:experiments\.md|commands/.*|python/.*)|figures/.*"
)


def code_blocks(text, language):
    """The code blocks of one language; all are read, so that a block's end is not taken for a beginning."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [code for name, code in blocks if name == language]


def command_lines(text):
    """The commands in the code blocks of a page, and those that a sentence names whole."""
    blocks = "\n".join(code_blocks(text, "bash"))
    named = re.findall(r"`((?:make|tt-actions) [^`]*)`", text)
    parts = [
        re.sub(r" +#.*", "", part).strip() for line in blocks.splitlines() for part in line.split(" && ")
    ]
    return [part for part in parts if COMMAND.match(part)] + named


LINES = sorted({line for text in TEXTS.values() for line in command_lines(text)})


def words_of(line):
    return shlex.split(line, comments=True)


def tt_actions_words(line):
    """The words after ``tt-actions``, or after the module that does the same; None of another command."""
    words = words_of(line)
    for index, word in enumerate(words):
        if word.endswith("tt-actions") or word == "tt_actions.main":
            return words[index + 1 :]
    return None


OF_US = {line: words for line in LINES if (words := tt_actions_words(line))}
OF_MAKE = [line for line in LINES if line.startswith("make ")]


def test_the_readme_is_short():
    assert 6000 <= (ROOT / "README.md").stat().st_size <= 9000


def test_the_commands_are_found():
    assert len(OF_MAKE) >= 30
    assert len(OF_US) >= 15


def test_every_make_command_names_a_target_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for line in OF_MAKE:
        assert words_of(line)[1] in targets, line


def test_every_target_of_the_makefile_is_in_the_reference():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)) - {"help"}:
        assert f"`make {target}`" in TEXTS["docs/reference/index.md"], target


def test_every_variable_of_make_is_one_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    known = set(re.findall(r"\$\(([A-Z]+)\)", makefile))
    for line in OF_MAKE:
        for name in re.findall(r"(?:^| )([A-Z]+)=", line):
            assert name in known, line


@pytest.mark.parametrize("page", TEXTS)
def test_every_experiment_and_sweep_exists(page):
    text = TEXTS[page]
    named = set(re.findall(r"\bEXP=(\w+)", text)) | set(re.findall(r"\bexperiments/(\w+)\.yaml", text))
    for models in re.findall(r'\bMODELS="([^"]*)"', text):
        named |= set(models.split())
    for name in named - OWN - {"name"}:
        assert (ROOT / "experiments" / f"{name}.yaml").is_file(), name
    for name in set(re.findall(r"\bSWEEP=(\w+)", text)) - {"name"}:
        assert (ROOT / "experiments" / "sweeps" / f"{name}.yaml").is_file(), name


@pytest.mark.parametrize("page", TEXTS)
def test_every_file_that_is_linked_or_named_exists(page):
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", TEXTS[page]):
        path = (folder / target).resolve()
        made = path.is_relative_to(ROOT / "docs") and GENERATED.match(str(path.relative_to(ROOT / "docs")))
        assert made or path.exists(), target
    for named in re.findall(r"\b(?:benchmarks|examples|tt_actions|tests)/[\w/]+\.(?:py|yaml)", TEXTS[page]):
        assert any(name in named for name in OWN) or (ROOT / named).is_file(), named


def test_every_environment_variable_of_ours_exists():
    code = "".join(path.read_text("utf-8") for path in (ROOT / "tt_actions").rglob("*.py"))
    for text in TEXTS.values():
        for name in re.findall(r"\bTT_ACTIONS_\w+", text):
            assert name in code, name


def test_every_command_exists():
    for line, (command, *_) in OF_US.items():
        assert command in COMMANDS, line
    for text in TEXTS.values():
        for name in re.findall(r"`tt-actions ([a-z]+)", text):
            assert name in COMMANDS, name


@pytest.fixture(scope="module")
def options():
    """Gives the options that a command's help lists."""
    known = {}

    def of_command(capsys, command):
        if command not in known:
            with suppress(SystemExit):
                main([command, "--help-all" if command in LIGHTNING else "--help"])
            known[command] = set(re.findall(r"--[\w.-]+", capsys.readouterr().out)) | {"--trust"}
        return known[command]

    return of_command


@pytest.mark.parametrize("line", [line for line, words in OF_US.items() if words[0] not in ("train", "fit")])
def test_every_option_exists(capsys, options, line):
    command, *words = OF_US[line]
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= options(capsys, command), line


def made_by_make(line):
    """The words after ``tt-actions`` that make would run."""
    dry = ["make", "-n", "--no-print-directory", *words_of(line)[1:]]
    outer = {"MAKEFLAGS", "MFLAGS", "ARGS"}  # of a make that runs the tests
    env = {name: value for name, value in os.environ.items() if name not in outer}
    end = subprocess.run(dry, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert end.returncode == 0, end.stderr
    return tt_actions_words(end.stdout.splitlines()[-1])


def trainings():
    """The training commands, as what ``tt-actions`` is given."""
    for line in OF_MAKE:
        if words_of(line)[1] in ("train", "compare") and not re.search(
            r"\bRESUME=|EXP=(?:my_model|name)\b", line
        ):
            yield line
    for line, words in OF_US.items():
        if words[0] == "train" and "--config" in words and "club/" not in line:  # test_engineer_tutorial.py
            yield line


@pytest.mark.parametrize("line", sorted(set(trainings())))
def test_every_training_command_is_understood(capsys, monkeypatch, line):
    monkeypatch.chdir(ROOT)
    words = made_by_make(line) if line.startswith("make") else OF_US[line]
    if words[0] == "compare":  # what it does not take itself it hands to every training
        extra = words_of(line)
        given = [word.removeprefix("ARGS=").split() for word in extra if word.startswith("ARGS=")]
        words = [
            "train",
            "--config",
            "experiments/cnn_lstm.yaml",
            *(part for parts in given for part in parts),
        ]
    with pytest.raises(SystemExit) as end:
        main([*words, "--print_config"])
    assert not end.value.code, capsys.readouterr().err


@pytest.mark.parametrize("page", TEXTS)
def test_the_english_is_plain(page):
    for banned in (r"\btold\b", r"\bmend\b", r"gone on with", r"\blikeliest\b", r"\bwhat fails\b"):
        assert not re.search(banned, TEXTS[page]), banned


@pytest.mark.parametrize("page", TEXTS)
def test_the_python_of_the_pages_compiles(page):
    for block in code_blocks(TEXTS[page], "python"):
        compile(block, page, "exec")
