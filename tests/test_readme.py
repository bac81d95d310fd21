import re
from pathlib import Path

from tt_actions.main import COMMANDS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMAND_LINES = [
    line.strip().removeprefix("$ ")
    for block in re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]


def test_every_make_command_names_a_target_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for line in COMMAND_LINES:
        for words in re.findall(r"\bmake ([^&|;#]*)", line):
            named = [word for word in words.split() if re.fullmatch(r"[a-z]+", word)]
            assert set(named[:1]) <= targets, line


def test_every_experiment_that_is_mentioned_exists():
    named = re.findall(r"\bEXP=(\w+)", README) + re.findall(r"\bexperiments/(\w+)\.yaml", README)
    for name in named:
        assert (ROOT / "experiments" / f"{name}.yaml").is_file(), name


def test_every_command_that_is_mentioned_exists():
    lines = [*COMMAND_LINES, *re.findall(r"`(tt-actions [^`]*)`", README)]
    for line in lines:
        for word in re.findall(r"\btt-actions ([a-z]\w*)", line):
            assert word in COMMANDS, line


def test_every_file_that_is_linked_exists():
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", README):
        assert (ROOT / target).exists(), target
