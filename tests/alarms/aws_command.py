"""Commands of AWS's command line, understood by the SDK's own descriptions of the services."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.session
import jmespath  # type: ignore[import-untyped]  # the SDK's own dependency, without types
from botocore import xform_name
from botocore.model import OperationModel, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

GLOBAL = {"--query", "--output"}
"""Options of every command, which say what is shown."""


READ: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "long": int,
    "timestamp": float,
    "map": json.loads,
    "structure": json.loads,
}
"""How a value is read, by the kind that the service wants."""


class NoSuchCommandError(Exception):
    """The command line would refuse this; says why."""


@dataclass(frozen=True)
class AwsCommand:
    """One call: a service, an operation as the SDK names it, and its parameters."""

    service: str
    operation: str
    parameters: dict[str, Any]

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> "AwsCommand":
        """Understand the arguments of `aws`.

        Raises:
            NoSuchCommandError: There is no such operation or option, or a value does not fit.
        """
        service, name, *rest = arguments
        model = _operation(service, name)
        shape = model.input_shape
        if shape is None:
            raise NoSuchCommandError(f"aws {service} {name} takes nothing")
        parameters = dict(_parameter(shape, option, values) for option, values in _options(rest))
        report = ParamValidator().validate(parameters, shape)
        if report.has_errors():
            raise NoSuchCommandError(f"aws {service} {name}: {report.generate_report()}")
        return cls(service, model.name, parameters)

    def run(self) -> Any:
        """Make the call, wherever the SDK's calls go."""
        client: Any = boto3.client(self.service)  # type: ignore[call-overload]  # any service
        return getattr(client, xform_name(self.operation))(**self.parameters)


def _options(rest: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return the options with their values, without those about what is shown."""
    options: list[tuple[str, list[str]]] = []
    for argument in rest:
        if argument.startswith("--"):
            options.append((argument, []))
        else:
            options[-1][1].append(argument)
    for option, values in options:
        if option == "--query":
            jmespath.compile(*values)
    return [(option, values) for option, values in options if option not in GLOBAL]


def _parameter(shape: StructureShape, option: str, values: list[str]) -> tuple[str, Any]:
    name = option.removeprefix("--")
    for member, its_shape in shape.members.items():
        if xform_name(member, "-") == name:
            return member, _value(its_shape, values)
        if its_shape.type_name == "boolean" and f"no-{xform_name(member, '-')}" == name:
            return member, False
    raise NoSuchCommandError(f"{shape.name} has no option {option}")


def _value(shape: Shape, values: list[str]) -> Any:
    if shape.type_name == "boolean":
        return not values
    if shape.type_name == "list":
        return [_shorthand(value) if "=" in value else value for value in values]
    (value,) = values
    return READ.get(shape.type_name, str)(value)


def _shorthand(value: str) -> dict[str, Any]:
    """Return what `Key=name,Values=one` stands for."""
    pairs = dict(pair.split("=", 1) for pair in value.split(","))
    return {key: [text] if key == "Values" else text for key, text in pairs.items()}


def _operation(service: str, name: str) -> OperationModel:
    model = _service(service)
    for operation in model.operation_names:
        if xform_name(operation, "-") == name:
            return model.operation_model(operation)
    raise NoSuchCommandError(f"aws {service} has no {name}")


@cache
def _service(name: str) -> ServiceModel:
    return botocore.session.get_session().get_service_model(name)
