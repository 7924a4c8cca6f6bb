"""Where faults are planted in templates: as overrides of any kind leave them."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.invariants.assembly import Assembly, Template
from stacks.invariants.catalogue import CATALOGUE
from tests.infra.synthesis import STACKS, Synthesized

Change = Callable[["Templates"], object]


@dataclass(frozen=True)
class Templates:
    """A synth's templates, to be changed; a bench's rules of naming do not hold here."""

    bodies: Mapping[str, dict[str, Any]]
    protected: dict[str, bool]

    @classmethod
    def of(cls, synthesized: Synthesized) -> "Templates":
        """Return a copy of a synth's templates."""
        return cls(
            {stack: copy.deepcopy(synthesized.template(stack)) for stack in STACKS},
            dict.fromkeys(STACKS, True),
        )

    def one(self, kind: str, named: str = "") -> dict[str, Any]:
        """Return the first resource of a type in whose logical id a text stands."""
        return next(
            resource
            for body in self.bodies.values()
            for name, resource in body["Resources"].items()
            if resource["Type"] == kind and named in name
        )

    def broken(self) -> set[str]:
        """Return the names of the invariants that do not hold."""
        assembly = Assembly(
            [
                Template(stack, _stack_name(stack), body, is_protected=self.protected[stack])
                for stack, body in self.bodies.items()
            ]
        )
        return {invariant.name for invariant in CATALOGUE if any(invariant.findings(assembly))}


def _stack_name(stack: str) -> str:
    return f"ai-multi-comms-{stack.lower()}-dev"


def put(kind: str, path: str, value: object, named: str = "") -> Change:
    """Return what sets a property, or an attribute beside the properties when it starts with `/`.

    Args:
        kind: The resource's type.
        path: The property's path; what it leads through is made where it is missing.
        value: Its value.
        named: What stands in the resource's logical id.
    """

    def change(templates: Templates) -> None:
        parts, last = _holder(templates.one(kind, named), path)
        parts[last] = value

    return change


def drop(kind: str, path: str, named: str = "") -> Change:
    """Return what takes a property out; see `put` for the arguments."""

    def change(templates: Templates) -> None:
        parts, last = _holder(templates.one(kind, named), path)
        del parts[last]

    return change


def fact(name: str, value: object) -> Change:
    """Return what changes what both templates say of their environment."""

    def change(templates: Templates) -> None:
        for body in templates.bodies.values():
            body["Metadata"]["Invariants"][name] = value

    return change


def without(kind: str, named: str = "") -> Change:
    """Return what takes the resources of a type out."""

    def change(templates: Templates) -> None:
        for body in templates.bodies.values():
            body["Resources"] = {
                name: resource
                for name, resource in body["Resources"].items()
                if resource["Type"] != kind or named not in name
            }

    return change


def _holder(resource: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    holder = resource if path.startswith("/") else resource["Properties"]
    *way, last = path.removeprefix("/").split(".")
    for part in way:
        holder = holder.setdefault(part, {})
    return holder, last
