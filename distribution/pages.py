"""The API pages, out of the docstrings of all that is public."""

from pathlib import Path

from griffe2md import (  # type: ignore[import-untyped]  # it ships no types
    default_config,
    render_object_docs,
)

from distribution import ROOT
from distribution.public import public_modules

PAGES = ROOT / "docs" / "api"

STYLE = default_config | {
    "heading_level": 1,
    "show_root_full_path": False,
    "show_root_members_full_path": False,
    "show_object_full_path": False,
    "show_if_no_docstring": False,  # attributes are told in their class's docstring
    "show_signature_annotations": True,
}


def build_pages(directory: Path) -> None:
    """Write a page a public module, as Markdown, into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for module in public_modules():
        page = directory / f"{module.path}.md"
        page.write_text(render_object_docs(module, STYLE, format_md=True), "utf-8")
