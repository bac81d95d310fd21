import re
import shlex
from pathlib import Path

import pytest

from tt_actions.main import COMMANDS, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMAND_LINES = [line.strip() for line in README.splitlines() if re.match(r" {4}(make|\S*tt-actions) ", line)]


def test_the_commands_of_the_readme_are_found():
    assert len(COMMAND_LINES) >= 5


def test_every_make_command_names_a_target_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for line in COMMAND_LINES:
        for words in re.findall(r"\bmake ([^&|;#]*)", line):
            named = [word for word in words.split() if re.fullmatch(r"[a-z-]+", word)]
            assert set(named[:1]) <= targets, line


def test_every_experiment_that_is_mentioned_exists():
    named = re.findall(r"\bEXP=(\w+)", README) + re.findall(r"\bexperiments/(\w+)\.yaml", README)
    for name in set(named) - {"my_model"}:  # the reader's own
        assert (ROOT / "experiments" / f"{name}.yaml").is_file(), name


def test_every_command_that_is_mentioned_exists():
    lines = [*COMMAND_LINES, *re.findall(r"`(tt-actions [^`]*)`", README)]
    for line in lines:
        for word in re.findall(r"\btt-actions ([a-z]\w*)", line):
            assert word in COMMANDS, line


def test_every_file_that_is_linked_exists():
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", README):
        assert (ROOT / target).exists(), target


OPTIONS = [
    shlex.split(line, comments=True)
    for line in COMMAND_LINES
    if line.startswith("make train") and "RESUME" not in line
]


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_every_training_command_is_understood(capsys, words):
    given = dict(word.split("=", 1) for word in words[2:])
    args = ["train", "--config", str(ROOT / "experiments" / f"{given['EXP']}.yaml")]
    if "DATA" in given:
        source = "UserRallies" if given["EXP"].startswith("rally_") else "UserClips"
        args += ["--data.source", source, "--data.source.path", given["DATA"]]
    with pytest.raises(SystemExit) as end:
        main([*args, *given.get("ARGS", "").split(), "--print_config"])
    assert not end.value.code, capsys.readouterr().err
