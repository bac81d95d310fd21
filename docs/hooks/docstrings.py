"""Makes the docstrings Markdown: Sphinx roles become code, doctests become code blocks."""

import re
from typing import Any

import griffe

ROLE = re.compile(r":(?:class|func|meth|attr|data|mod|exc):`~?([^`]+)`")


class MarkdownDocstrings(griffe.Extension):
    """Rewrites every docstring when Griffe has read it."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute.

        Args:
            obj: What was read.
        """
        if obj.docstring:
            obj.docstring.value = fence_doctests(ROLE.sub(r"`\1`", obj.docstring.value))


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
        lines.append(line)
    return "\n".join(lines + ["```"] * is_open)
