"""The public API, read from the sources with griffe: its record and its pages."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import griffe
from griffe2md import (  # type: ignore[import-untyped]  # it ships no types
    default_config,
    render_object_docs,
)

from distribution import PUBLIC, ROOT

PAGES = ROOT / "docs" / "api"
RECORD = ROOT / "distribution" / "surface.txt"
"""The recorded API, a line per name. `*` marks a keyword-only parameter, `<` a base class."""

CHANGED = """the public API differs from distribution/surface.txt:

{changes}

Other repositories depend on it. If the change is intended, list it in CHANGELOG.md (a removed or
changed line is a breaking change: a new major version), then record it with `make surface`."""

PAGE_STYLE = default_config | {
    "heading_level": 1,
    "show_root_full_path": False,
    "show_root_members_full_path": False,
    "show_object_full_path": False,
    "show_if_no_docstring": False,  # attributes are documented by their class
    "show_signature_annotations": True,
}


@cache
def public_modules() -> tuple[griffe.Module, ...]:
    """Return the public modules, in the order of `PUBLIC`."""
    loader = griffe.GriffeLoader(
        search_paths=[ROOT], allow_inspection=False, docstring_parser=griffe.Parser.google
    )
    # Imported packages first, so that every alias can be resolved.
    for package in ("lambda_src", "stacks", "local", "conformance", "ai_multi_comms"):
        loader.load(package)
    loader.resolve_aliases(external=False)
    return tuple(loader.modules_collection[path] for path in PUBLIC)


@cache
def public_members() -> tuple[tuple[str, griffe.Object], ...]:
    """Return the members of each `__all__` by the path that they are imported from."""
    return tuple(
        (f"{module.path}.{name}", module[str(name)].final_target)
        for module in public_modules()
        for name in module.exports or []
    )


def own_members(owner: griffe.Object) -> list[griffe.Object]:
    """Return a class's public members, without inherited ones."""
    members = owner.members.values() if owner.is_class else []
    return [m for m in members if isinstance(m, griffe.Object) and not m.name.startswith("_")]


def surface() -> str:
    """Return the public API: a sorted line per class, function and attribute."""
    lines = {line for path, member in public_members() for line in _lines(path, member)}
    return "\n".join(sorted(lines)) + "\n"


def differences(recorded: str, found: str) -> str:
    """Return removed (`- …`) and added (`+ …`) lines; empty if there are none."""
    before, now = set(recorded.splitlines()), set(found.splitlines())
    removed = [f"- {line}" for line in sorted(before - now)]
    return "\n".join([*removed, *(f"+ {line}" for line in sorted(now - before))])


def write_pages(directory: Path) -> None:
    """Write a Markdown page per public module."""
    directory.mkdir(parents=True, exist_ok=True)
    for module in public_modules():
        page = directory / f"{module.path}.md"
        page.write_text(render_object_docs(module, PAGE_STYLE, format_md=True), "utf-8")


def _lines(path: str, member: griffe.Object) -> Iterator[str]:
    yield path + _signature(member)
    for inner in own_members(member):
        yield from _lines(f"{path}.{inner.name}", inner)


def _signature(member: griffe.Object) -> str:
    match member:
        case griffe.Class():
            bases = "".join(f" < {base}" for base in member.bases)
            return f"({_parameters(member.parameters)}){bases}"
        case griffe.Function():
            return f"({_parameters(member.parameters)}) -> {member.returns}"
        case griffe.Attribute() if member.annotation:
            return f": {member.annotation}"
        case _:
            return ""


def _parameters(parameters: griffe.Parameters) -> str:
    return ", ".join(_parameter(each) for each in parameters if each.name not in {"self", "cls"})


def _parameter(parameter: griffe.Parameter) -> str:
    star = "*" if parameter.kind is griffe.ParameterKind.keyword_only else ""
    annotation = f": {parameter.annotation}" if parameter.annotation else ""
    default = "" if parameter.default is None else f" = {parameter.default}"
    return f"{star}{parameter.name}{annotation}{default}"
