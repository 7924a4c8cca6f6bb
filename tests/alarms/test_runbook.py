"""The runbook has a section for each alarm, whose commands and queries are valid."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]  # a dependency of the SDK, without types
import pytest
from botocore import xform_name
from botocore.model import OperationModel, Shape, StructureShape
from botocore.validate import ParamValidator

from lambda_src.core.contract import LOG_LEVELS, LogEvent
from lambda_src.services.twilio import errors
from tests.alarms.cases import CASES
from tests.alarms.situations import Lines
from tests.infra.synthesis import Synthesized
from tests.ops import runbook
from tests.ops.runbook import ALARMS, DRILL, PREPARATION, sections
from tests.ops.tool import check_call

HEADINGS = tuple(sections())
PARTS = (
    "**What it means.**",
    "**See what happened.**",
    "**What to do.**",
    "**What not to do.**",
    "**It is over when**",
)
QUERY_WORDS = {
    *("fields", "filter", "stats", "sort", "desc", "limit", "by", "as", "and", "in", "like"),
    *("count", "count_distinct", "min", "max", "avg", "pct", "bin", "ispresent"),
}
"""Words of CloudWatch Logs Insights that the runbook uses."""


CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    "integer": int,
    "long": int,
    "timestamp": float,
    "map": json.loads,
    "structure": json.loads,
}
"""Conversion of an option's value by the type of the parameter."""


class InvalidCommandError(Exception):
    """AWS's command line would reject the command; the text says why."""


def parse_aws_command(arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return operation and parameters of the arguments of `aws`, as the SDK describes them.

    Raises:
        InvalidCommandError: An operation or option does not exist, or a value is invalid.
    """
    service, name, *rest = arguments
    model = _operation(service, name)
    if (shape := model.input_shape) is None:
        raise InvalidCommandError(f"aws {service} {name} has no options")
    parameters = dict(_parameter(shape, option, values) for option, values in _options(rest))
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        raise InvalidCommandError(f"aws {service} {name}: {report.generate_report()}")
    return model.name, parameters


@cache
def _operation(service: str, name: str) -> OperationModel:
    model = botocore.session.get_session().get_service_model(service)
    for operation in model.operation_names:
        if xform_name(operation, "-") == name:
            return model.operation_model(operation)
    raise InvalidCommandError(f"aws {service} has no {name}")


def _options(rest: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return options and their values, without those that format the output."""
    options: list[tuple[str, list[str]]] = []
    for argument in rest:
        if argument.startswith("--"):
            options.append((argument, []))
        else:
            options[-1][1].append(argument)
    for option, values in options:
        if option == "--query":
            jmespath.compile(*values)
    return [pair for pair in options if pair[0] not in {"--query", "--output"}]


def _parameter(shape: StructureShape, option: str, values: list[str]) -> tuple[str, Any]:
    name = option.removeprefix("--")
    for member, its_shape in shape.members.items():
        if xform_name(member, "-") == name:
            return member, _value(its_shape, values)
        if its_shape.type_name == "boolean" and f"no-{xform_name(member, '-')}" == name:
            return member, False
    raise InvalidCommandError(f"{shape.name} has no option {option}")


def _value(shape: Shape, values: list[str]) -> Any:
    if shape.type_name == "boolean":
        return not values
    if shape.type_name == "list":
        return [_shorthand(value) if "=" in value else value for value in values]
    (value,) = values
    return CONVERTERS.get(shape.type_name, str)(value)


def _shorthand(value: str) -> dict[str, Any]:
    """Parse `Key=name,Values=one`."""
    pairs = dict(pair.split("=", 1) for pair in value.split(","))
    return {key: [text] if key == "Values" else text for key, text in pairs.items()}


def test_each_alarm_has_its_section() -> None:
    """There is a section for each alarm, and no other."""
    assert sorted(case.subject for case in CASES) == sorted(ALARMS)


@pytest.mark.parametrize("heading", ALARMS)
def test_section_is_complete(heading: str) -> None:
    """A section has the required parts, once each and in order, and a block of commands."""
    text = sections()[heading].text

    assert sorted(PARTS, key=text.index) == list(PARTS)
    assert [1] * len(PARTS) == [text.count(part) for part in PARTS]
    assert sections()[heading].blocks


def test_links_have_targets() -> None:
    """Each link within the runbook leads to one of its sections."""
    linked = set(re.findall(r"\]\(#([^)]+)\)", runbook.RUNBOOK.read_text("utf-8")))

    assert linked <= {heading.lower() for heading in HEADINGS}


def test_names_are_the_deployed_ones(tmp_path: Path, deployed: Synthesized) -> None:
    """The names that the preparation sets are those of the template's resources."""
    preparation = sections()[PREPARATION].blocks[0]
    printed = runbook.run_blocks([preparation, "set"], tmp_path).splitlines()
    names = dict(line.split("=", 1) for line in printed if "=" in line)

    for variable, stack, kind, key in (
        ("FUNCTION", "WhatsApp", "AWS::Lambda::Function", "FunctionName"),
        ("LOG_GROUP", "WhatsApp", "AWS::Logs::LogGroup", "LogGroupName"),
        ("TABLE", "Shared", "AWS::DynamoDB::Table", "TableName"),
    ):
        assert names[variable] == deployed.properties(stack, kind)[key]


@pytest.mark.parametrize("heading", HEADINGS)
def test_commands_are_valid(heading: str, tmp_path: Path, lines: Lines) -> None:
    """A shell runs a section's commands; AWS and the operator's tool accept each call.

    Log queries use only fields and events that the runtime logs.
    """
    fields = {name for log in lines.values() for line in log for name in json.loads(line)}
    blocks = sections()[heading].blocks
    calls = [parse_aws_command(call) for call in runbook.recorded_calls("aws", blocks, tmp_path)]
    assert calls or heading == DRILL
    for operation, parameters in calls:
        if operation == "StartQuery":
            query = parameters["queryString"]
            assert _names_in(query) <= fields | QUERY_WORDS
            assert set(re.findall(r'"([^"]*)"', query)) <= {*LogEvent, *LOG_LEVELS, "REPORT"}
    (tmp_path / "calls").unlink()
    for arguments in runbook.tool_calls(blocks, tmp_path):
        check_call(arguments)


def _names_in(query: str) -> set[str]:
    """Return the words of a query except texts, the service's own fields and new names."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|/[^/]*/|@\w+", " ", query)
    new = set(re.findall(r"\bas (\w+)", bare))
    return set(re.findall(r"\b[a-z]\w*", bare)) - new


def test_twilio_codes_are_complete() -> None:
    """The section on the vendor's account names each of Twilio's codes that raise the alarm."""
    text = sections()["VendorAccountRefused"].text
    named = {int(code) for code in re.findall(r"`twilio_(\d+)`", text)}

    account = errors.CREDENTIALS | errors.ACCOUNT | errors.SENDER_SETUP
    assert account == named
