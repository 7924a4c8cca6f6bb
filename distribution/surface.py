"""All that is public, a line each: names, parameters, types, attributes; read from the sources.

A parameter with a star is given by its name; what follows `<` is the class above.
"""

from collections.abc import Iterator

import griffe

from distribution import ROOT
from distribution.public import own_members, public_members

RECORD = ROOT / "distribution" / "surface.txt"
"""The surface as it was last decided on."""

CHANGED = """the public surface is not what distribution/surface.txt records:

{changes}

Other repositories build on it. Where the change is meant, tell it in CHANGELOG.md (a line that is
gone or different breaks them: a new major version), then record it with `make surface`."""


def surface() -> str:
    """Return the surface as it is now, sorted, a line each."""
    lines = {line for path, member in public_members() for line in _lines(path, member)}
    return "\n".join(sorted(lines)) + "\n"


def differences(recorded: str, found: str) -> str:
    """Return what is gone (`- …`) and what is new (`+ …`), empty where nothing is either."""
    before, now = set(recorded.splitlines()), set(found.splitlines())
    gone = [f"- {line}" for line in sorted(before - now)]
    return "\n".join([*gone, *(f"+ {line}" for line in sorted(now - before))])


def _lines(path: str, member: griffe.Object) -> Iterator[str]:
    yield path + _shape(member)
    for inner in own_members(member):
        yield from _lines(f"{path}.{inner.name}", inner)


def _shape(member: griffe.Object) -> str:
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
    return ", ".join(_shown(each) for each in parameters if each.name not in {"self", "cls"})


def _shown(parameter: griffe.Parameter) -> str:
    star = "*" if parameter.kind is griffe.ParameterKind.keyword_only else ""
    annotation = f": {parameter.annotation}" if parameter.annotation else ""
    default = "" if parameter.default is None else f" = {parameter.default}"
    return f"{star}{parameter.name}{annotation}{default}"
