"""Changes of synthesized templates, as overrides of any kind can leave them."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.invariants.assembly import Assembly, Template
from stacks.invariants.plugin import CATALOGUE
from tests.infra.synthesis import STACKS, Synthesized


@dataclass(frozen=True)
class Templates:
    """A synth's templates, to be changed."""

    bodies: Mapping[str, dict[str, Any]]
    protected: dict[str, bool]

    @classmethod
    def of(cls, synthesized: Synthesized) -> "Templates":
        """Return a copy of a synth's templates."""
        bodies = {stack: copy.deepcopy(synthesized.template(stack)) for stack in STACKS}
        return cls(bodies, dict.fromkeys(STACKS, True))

    def first(self, kind: str, named: str = "") -> dict[str, Any]:
        """Return the first resource of a type whose logical id contains a text."""
        return next(
            resource
            for body in self.bodies.values()
            for name, resource in body["Resources"].items()
            if resource["Type"] == kind and named in name
        )

    def violated(self) -> set[str]:
        """Return the names of the violated invariants."""
        templates = [
            Template(
                stack,
                f"ai-multi-comms-{stack.lower()}-dev",
                body,
                is_protected=self.protected[stack],
            )
            for stack, body in self.bodies.items()
        ]
        assembly = Assembly(templates)
        return {invariant.name for invariant in CATALOGUE if any(invariant.findings(assembly))}


Change = Callable[[Templates], object]


def put(kind: str, path: str, value: object, named: str = "") -> Change:
    """Return a change that sets a property, or an attribute if the path starts with `/`.

    Args:
        kind: The resource's type.
        path: The property's path; missing parents are created.
        value: The value.
        named: A part of the resource's logical id.
    """

    def change(templates: Templates) -> None:
        parent, last = _parent(templates.first(kind, named), path)
        parent[last] = value

    return change


def drop(kind: str, path: str, named: str = "") -> Change:
    """Return a change that removes a property; see `put` for the arguments."""

    def change(templates: Templates) -> None:
        parent, last = _parent(templates.first(kind, named), path)
        del parent[last]

    return change


def put_metadata(name: str, value: object) -> Change:
    """Return a change of both templates' metadata about their environment."""

    def change(templates: Templates) -> None:
        for body in templates.bodies.values():
            body["Metadata"]["Invariants"][name] = value

    return change


def remove(kind: str, named: str = "") -> Change:
    """Return a change that removes the resources of a type."""

    def change(templates: Templates) -> None:
        for body in templates.bodies.values():
            body["Resources"] = {
                name: resource
                for name, resource in body["Resources"].items()
                if resource["Type"] != kind or named not in name
            }

    return change


def _parent(resource: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    parent = resource if path.startswith("/") else resource["Properties"]
    *parents, last = path.removeprefix("/").split(".")
    for part in parents:
        parent = parent.setdefault(part, {})
    return parent, last
