"""Synthesized templates, as the invariants read them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stacks.invariants.facts import Facts


class NotPlain(Exception):
    """A value that an invariant rests on is not written out in the template.

    Args:
        resource: Whose value it is.
        path: Its path among the resource's properties.
        expected: What it has to be.
    """

    def __init__(self, resource: "Resource", path: str, expected: str) -> None:
        super().__init__(f"{resource.logical_id}: {path} is not {expected}")
        self.resource = resource
        self.path = path
        self.expected = expected


@dataclass(frozen=True, eq=False)
class Template:
    """One stack's template.

    Attributes:
        stack: The stack's construct path.
        stack_name: The stack's name in CloudFormation.
        body: The template itself.
        file: Where it was read from.
        is_protected: Whether the stack cannot be deleted.
    """

    stack: str
    stack_name: str
    body: Mapping[str, Any]
    file: Path = Path()
    is_protected: bool = False

    @classmethod
    def read(cls, stack: str, file: Path) -> "Template":
        """Read a template, and what the cloud assembly around it says of its stack."""
        manifest = json.loads((file.parent / "manifest.json").read_text())
        ((artifact, properties),) = [
            (name, artifact["properties"])
            for name, artifact in manifest["artifacts"].items()
            if artifact.get("properties", {}).get("templateFile") == file.name
        ]
        return cls(
            stack=stack,
            stack_name=properties.get("stackName", artifact),
            body=json.loads(file.read_text()),
            file=file,
            is_protected=properties.get("terminationProtection", False),
        )

    @cached_property
    def facts(self) -> Facts | None:
        """What the stack's environment says of itself; None for a stack without our constructs."""
        return Facts.read(self.body)

    @cached_property
    def resources(self) -> Mapping[str, "Resource"]:
        """The template's resources by logical id."""
        resources = self.body.get("Resources", {})
        return {name: Resource(self, name, body) for name, body in resources.items()}


@dataclass(frozen=True, eq=False)
class Resource:
    """One resource of a template."""

    template: Template
    logical_id: str
    body: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its CloudFormation type."""
        return str(self.body["Type"])

    @property
    def facts(self) -> Facts:
        """What its environment says of itself."""
        return self.template.facts or Facts()

    def value(self, path: str, default: object = None) -> Any:
        """Return a property by its path such as `ScalingConfig.MaximumConcurrency`."""
        found: Any = self.body.get("Properties", {})
        for part in path.split("."):
            if not isinstance(found, Mapping) or part not in found:
                return default
            found = found[part]
        return found

    def whole(self, path: str, default: int | None = None) -> int | None:
        """Return a whole number, which CloudFormation takes as text too.

        Raises:
            NotPlain: It is something else, a reference for instance, so that nobody can tell.
        """
        value = self.value(path, default)
        if value is None or type(value) is int:
            return value
        if isinstance(value, str) and value.isdecimal():
            return int(value)
        raise NotPlain(self, path, "a number that is written out")


class Assembly:
    """The templates of one synth, and what in them refers to what.

    Args:
        templates: All of them; the invariants hold for those that carry facts, the others may be
            referred to.
    """

    def __init__(self, templates: Sequence[Template]) -> None:
        self.templates = templates
        self.guarded = [template for template in templates if template.facts]

    def of(self, *kinds: str) -> Iterator[Resource]:
        """Yield the guarded resources of these CloudFormation types."""
        for template in self.guarded:
            yield from (each for each in template.resources.values() if each.kind in kinds)

    def all_of(self, *kinds: str) -> Iterator[Resource]:
        """Yield the resources of these types, guarded or not."""
        for template in self.templates:
            yield from (each for each in template.resources.values() if each.kind in kinds)

    def referred(self, template: Template, value: object, *kinds: str) -> Resource | None:
        """Return the first resource of these types that a value of a template refers to.

        References into another stack of the assembly are followed.
        """
        found = (each for each in self._mentioned(template, value) if each.kind in kinds)
        return next(found, None)

    def _mentioned(self, template: Template, value: object) -> Iterator[Resource]:
        if isinstance(value, list):
            for part in value:
                yield from self._mentioned(template, part)
        if not isinstance(value, Mapping):
            return
        for key, part in value.items():
            match key:
                case "Ref" | "Fn::GetAtt":
                    yield from self._named(template, part)
                case "Fn::GetStackOutput":
                    yield from self._output(part)
                case "Fn::ImportValue":
                    yield from self._export(part)
                case _:
                    yield from self._mentioned(template, part)

    def _named(self, template: Template, target: object) -> Iterator[Resource]:
        name = target[0] if isinstance(target, list) else str(target).split(".")[0]
        resource = template.resources.get(name)
        if resource is None:
            return
        yield resource
        if resource.kind in {"AWS::Lambda::Alias", "AWS::Lambda::Version"}:
            yield from self._mentioned(template, resource.value("FunctionName"))

    def _output(self, target: Mapping[str, object]) -> Iterator[Resource]:
        for template in self.templates:
            output = template.body.get("Outputs", {}).get(target.get("OutputName"))
            if output and template.stack_name == target.get("StackName"):
                yield from self._mentioned(template, output["Value"])

    def _export(self, name: object) -> Iterator[Resource]:
        for template in self.templates:
            for output in template.body.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == name:
                    yield from self._mentioned(template, output["Value"])
