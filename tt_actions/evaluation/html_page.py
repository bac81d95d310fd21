"""Self-contained HTML pages, with a Content-Security-Policy that blocks everything else."""

import base64
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_SHARED = Path(__file__).parent / "page.css"


class Page(NamedTuple):
    """A page and its Content-Security-Policy.

    Args:
        html: The page.
        policy: The policy. It allows the page's own script and style (by their hashes), and the directives
            passed to :func:`build_page`.
    """

    html: str
    policy: str


def build_page(template: Path, allowed: str, more_css: str = "", **values: Any) -> Page:
    """Render a template as a page that contains its own style and script.

    The style is ``page.css``, which all pages share, followed by the file next to the template with the same
    name and the suffix ``.css``. The script is the file with the suffix ``.js``, if it exists. Files named
    ``<name>_*.js`` are parts of it and come first. The template receives them as ``css`` and ``script``, and
    the policy as ``policy``. All other values are escaped.

    Args:
        template: The Jinja template, whose name ends in ``.html.j2``.
        allowed: Policy directives for the resources that the page loads, such as ``img-src data:``.
        more_css: Additional CSS rules that depend on the contents of the page.
        **values: Values for the template.
    """
    stem = template.name.removesuffix(".html.j2")
    css = _SHARED.read_text("utf-8") + template.with_name(f"{stem}.css").read_text("utf-8") + more_css
    parts = [*sorted(template.parent.glob(f"{stem}_*.js")), template.with_name(f"{stem}.js")]
    script = "".join(part.read_text("utf-8") for part in parts if part.exists()) or None
    sources = [f"style-src '{_hash(css)}'"]
    if script is not None:
        sources.insert(0, f"script-src '{_hash(script)}'")
    policy = "; ".join(["default-src 'none'", *sources, allowed, "base-uri 'none'", "form-action 'none'"])
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filled = environment.get_template(template.name)
    return Page(filled.render(values, css=css, script=script, policy=policy), policy)


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
