"""HTML pages that need no other file, and a policy that lets nothing else run or load."""

import base64
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_SHARED = Path(__file__).parent / "page.css"


class Page(NamedTuple):
    """A page and the Content-Security-Policy that it works under.

    Args:
        html: The page.
        policy: Allows the page's own script and style, by their hashes, and what the page asks for.
    """

    html: str
    policy: str


def build_page(template: Path, allowed: str, more_css: str = "", **values: Any) -> Page:
    """Fill a template, and put its style and its script into it.

    The style is ``page.css``, which all pages share, and the file beside the template of its name with the
    suffix ``.css``; the script is the one with ``.js``, where there is one. The template gets them as ``css``
    and ``script``, and the policy as ``policy``. All other values are escaped.

    Args:
        template: The Jinja template; its name ends in ``.html.j2``.
        allowed: Directives of the policy that allow what the page loads, such as ``img-src data:``.
        more_css: Rules that depend on what the page shows.
        **values: What the template shows.
    """
    stem = template.name.removesuffix(".html.j2")
    own_css, own_script = template.with_name(f"{stem}.css"), template.with_name(f"{stem}.js")
    css = _SHARED.read_text("utf-8") + own_css.read_text("utf-8") + more_css
    script = own_script.read_text("utf-8") if own_script.exists() else None
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
