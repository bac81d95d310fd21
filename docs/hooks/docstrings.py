"""Makes the docstrings Markdown: Sphinx roles become code, doctests and formulas become code blocks."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|attr|data|mod|exc):`~?([^`]+)`")
MATHS = re.compile(r"^\.\. math::(.*\n(?:[ \t]+.*\n|\n)*)", re.MULTILINE)


class MarkdownDocstrings(griffe.Extension):
    """Rewrites every docstring when Griffe has read the package."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Rewrite the docstrings of a package.

        Args:
            pkg: What was read.
        """
        rewrite(pkg)


def rewrite(thing: griffe.Object) -> None:
    """Rewrite the docstring of a thing, and those of all that is defined in it.

    Args:
        thing: A module, a class, a function or an attribute.
    """
    if thing.docstring:
        text = ROLE.sub(r"`\1`", thing.docstring.value)
        thing.docstring.value = fence_doctests(MATHS.sub(_fence, text))
    for member in thing.members.values():
        if not member.is_alias:
            rewrite(member)


def _fence(found: re.Match[str]) -> str:
    """A formula as a code block: the site loads no typesetter from another host."""
    lines = [line.strip() for line in found[1].splitlines() if line.strip()]
    return "\n".join(["```latex", *lines, "```", ""])


def fence_doctests(text: str) -> str:
    """Put every doctest into a code block.

    Args:
        text: A docstring, without indent.
    """
    lines, is_open = [], False
    for line in text.splitlines():
        if line.startswith(">>>") and not is_open:
            lines += ["", "```pycon"]
            is_open = True
        if is_open and not line.strip():
            lines.append("```")
            is_open = False
        lines.append(re.sub(r" *# doctest: .*", "", line))
    return "\n".join(lines + ["```"] * is_open)
