"""Configure Sphinx for the site that `make docs` builds."""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from afterwork.version import VERSION  # noqa: E402
from docs.building.ocl import OclLexer  # noqa: E402
from docs.building.pages import completed  # noqa: E402

project = "Afterwork"
version = release = VERSION
copyright = "the authors of Afterwork"
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["building"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
highlight_language = "bash"  # a block that is set in, without a name of a language, is for the shell
python_maximum_signature_line_length = 88
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_favicon = "static/mark.svg"
html_title = "Afterwork"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
suppress_warnings = ["misc.highlighting_failure"]  # "…" stands for what is left out, in any language
pygments_style = "friendly"
pygments_dark_style = "github-dark"

BESIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
    "UPGRADING.md": "upgrading.md",
    "SECURITY.md": "security.md",
}
"""Pages that stand beside docs/, each with the page of the site that shows it."""


BY_SCHEME = r"""
```{image} \2-light.png
:class: only-light
:alt: \1
```
```{image} \2-dark.png
:class: only-dark
:alt: \1
```
"""
"""Shows of a picture the one that fits the reader's scheme of colours. Pages name the light one."""

APART = "coming-from-"
"""The beginning of the names of pages that have a place of their own in the menu."""


def below(page: Path) -> str:
    """Return the menu of the pages that stand beside the overview of a folder. Empty for any other page."""
    if page.name != "README.md":
        return ""
    beside = sorted(other.stem for other in page.parent.glob("*.md") if other != page)
    names = [name for name in beside if not name.startswith(APART)]
    return "\n".join(["", "```{toctree}", ":hidden:", "", *names, "```", ""])


def complete(app: Sphinx, name: str, content: list[str]) -> None:
    """Add to a page what it asks for, and let its links to pages beside docs/ lead to the site's."""
    text = completed(content[0])
    for path, page in BESIDE.items():
        text = re.sub(rf"\]\((?:\.\./)+{re.escape(path)}(#[^)]*)?\)", rf"](/{page}\1)", text)
    text = re.sub(r"!\[([^\]]*)\]\(([^)]*)-light\.png\)", BY_SCHEME, text)
    content[0] = text + below(Path(app.srcdir, f"{name}.md"))


def setup(app: Sphinx) -> None:
    """Be called by Sphinx."""
    app.add_lexer("ocl", OclLexer)
    app.add_lexer("eal", OclLexer)
    app.connect("source-read", complete)
