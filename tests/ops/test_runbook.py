"""The runbook: a section for each alarm, valid commands, and a drill that resolves each alarm."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]  # a dependency of the SDK, without types
import pytest
from botocore import xform_name
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from lambda_src.core.contract import LOG_LEVELS, LogEvent, Status
from lambda_src.core.errors import AccountRefused
from lambda_src.services.twilio import errors
from local.fakes import Fault
from tests.alarms.cases import ALL_CASES, CASES
from tests.alarms.conftest import lines  # noqa: F401 - a fixture
from tests.alarms.situations import Lines
from tests.infra.synthesis import ROOT, synthesize
from tests.ops.operator_channel import OperatorChannel
from tests.ops.tool import check_call
from tests.support.callbacks import Callbacks
from tests.support.channel import (
    ACCOUNT,
    CONVERSATION,
    RECIPIENT,
    TEMPLATE,
    TOKEN,
    TWILIO_SECRET,
    context,
    failing_operation,
)

TEXT = (ROOT / "docs" / "runbook.md").read_text("utf-8")
_, *_parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)
SECTIONS = dict(zip(_parts[::2], _parts[1::2], strict=True))
"""The texts of the sections by heading."""
PREPARATION, DRILL = "Before you begin", "Drill"
ALARMS = tuple(heading for heading in SECTIONS if heading not in {PREPARATION, DRILL})
"""The sections about alarms."""
QUERY_WORDS = {
    *("fields", "filter", "stats", "sort", "desc", "limit", "by", "as", "and", "in", "like"),
    *("count", "count_distinct", "min", "max", "avg", "pct", "bin", "ispresent"),
}
"""Words of CloudWatch Logs Insights that the runbook uses."""
RECORDER = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" >> "$CALLS"
printf '\\n\\0' >> "$CALLS"
echo "answer-of-$1-$2"
"""
"""Replaces `aws` and `python`: records its name and arguments, and prints something."""
CONVERTERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("integer", "long"), int),
    "timestamp": float,
    **dict.fromkeys(("map", "structure"), json.loads),
}
"""Conversion of an option's value by the type of the parameter."""
CREDENTIALS = {
    "twilio_account_sid": ACCOUNT,
    "twilio_auth_token": TOKEN,
    "twilio_template_sid": TEMPLATE,
}


def _blocks(heading: str) -> list[str]:
    """Return a section's blocks of shell commands."""
    return re.findall(r"^```sh\n(.*?)^```$", SECTIONS[heading], re.MULTILINE | re.DOTALL)


def _drills() -> Mapping[str, str]:
    """Return the drill's blocks by the alarm that their first line names."""
    found = {re.findall(r"# (\w+): ", block)[0]: block for block in _blocks(DRILL)}
    assert len(found) == len(_blocks(DRILL))
    return found


def _run_blocks(directory: Path, *blocks: str) -> str:
    """Run blocks in one shell whose programs only record their calls; return its output."""
    for name, script in {"aws": RECORDER, "python": RECORDER, "sleep": "#!/bin/bash\n"}.items():
        (directory / name).write_text(script)
        (directory / name).chmod(0o755)
    for name in ("calls", "secret.json"):
        (directory / name).touch()
    done = subprocess.run(  # noqa: S603 - our own text
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=directory,
        env={"PATH": f"{directory}:/usr/bin:/bin", "CALLS": str(directory / "calls")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stderr
    return done.stdout


def _calls(directory: Path, *blocks: str) -> Mapping[str, list[list[str]]]:
    """Run the preparation and then blocks; return the arguments of the calls of `aws` and `ops`."""
    _run_blocks(directory, _blocks(PREPARATION)[0], *blocks)
    calls = defaultdict(list)
    for call in (directory / "calls").read_text("utf-8").split("\n\0")[:-1]:
        program, *arguments = call.split("\0")[:-1]
        if program == "python":
            assert ["-m", "ops"] == arguments[:2]
            program, arguments = "ops", arguments[2:]
        calls[program].append(arguments)
    return calls


@cache
def _operations(service: str) -> Mapping[str, OperationModel]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name, "-"): model.operation_model(name) for name in model.operation_names}


def _parse(service: str, command: str, *rest: str) -> tuple[str, dict[str, Any]]:
    """Return operation and parameters of a valid call of `aws`, as the SDK describes them."""
    operation = _operations(service)[command]
    shape = operation.input_shape
    assert shape, f"aws {service} {command} has no options"
    members = {xform_name(name, "-"): (name, part) for name, part in shape.members.items()}
    parameters: dict[str, Any] = {}
    for option, values in _options(rest):
        if option == "query":
            jmespath.compile(*values)
        elif option.startswith("no-") and option not in members:
            name, part = members[option.removeprefix("no-")]
            assert "boolean" == part.type_name, option
            parameters[name] = False
        elif option != "output":
            name, part = members[option]
            parameters[name] = _value(part, values)
    report = ParamValidator().validate(parameters, shape)
    assert not report.has_errors(), report.generate_report()
    return operation.name, parameters


def _options(rest: Iterable[str]) -> list[tuple[str, list[str]]]:
    options: list[tuple[str, list[str]]] = []
    for argument in rest:
        if argument.startswith("--"):
            options.append((argument.removeprefix("--"), []))
        else:
            options[-1][1].append(argument)
    return options


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


def _names_in(query: str) -> set[str]:
    """Return the words of a query except texts, the service's own fields and new names."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|/[^/]*/|@\w+", " ", query)
    new = set(re.findall(r"\bas (\w+)", bare))
    return set(re.findall(r"\b[a-z]\w*", bare)) - new


def test_names_are_the_deployed_ones(tmp_path: Path) -> None:
    """The names that the preparation sets are those of the template's resources."""
    printed = _run_blocks(tmp_path, _blocks(PREPARATION)[0], "set").splitlines()
    names = dict(line.split("=", 1) for line in printed if "=" in line)

    for variable, stack, kind, key in (
        ("FUNCTION", "WhatsApp", "AWS::Lambda::Function", "FunctionName"),
        ("LOG_GROUP", "WhatsApp", "AWS::Logs::LogGroup", "LogGroupName"),
        ("TABLE", "Shared", "AWS::DynamoDB::Table", "TableName"),
    ):
        found = [each["Properties"][key] for each in synthesize().resources(stack, kind)]
        assert names[variable] in found


@pytest.mark.parametrize("part", ["events-worker", "receiver"])
def test_names_of_delivery_events_are_the_deployed_ones(tmp_path: Path, part: str) -> None:
    """`on` runs a command with the names of a deployed function and its log group."""
    printed = _run_blocks(tmp_path, _blocks(PREPARATION)[0], f"on {part} set").splitlines()
    names = dict(line.split("=", 1) for line in printed if "=" in line)

    deployed = synthesize(delivery_webhook=True)
    for variable, kind, key in (
        ("FUNCTION", "AWS::Lambda::Function", "FunctionName"),
        ("LOG_GROUP", "AWS::Logs::LogGroup", "LogGroupName"),
    ):
        resources = deployed.resources("WhatsApp", kind)
        assert names[variable] in {each["Properties"].get(key) for each in resources}


@pytest.mark.parametrize("heading", SECTIONS)
def test_commands_are_valid(heading: str, tmp_path: Path, lines: Lines) -> None:  # noqa: F811 - a fixture
    """A shell runs a section's commands; AWS and the operator's tool accept each call.

    Log queries use only fields and events that the runtime logs.
    """
    fields = {name for log in lines.values() for line in log for name in json.loads(line)}
    calls = _calls(tmp_path, *_blocks(heading))
    assert calls["aws"] or heading == DRILL
    for operation, parameters in (_parse(*call) for call in calls["aws"]):
        if operation == "StartQuery":
            query = parameters["queryString"]
            assert _names_in(query) <= fields | QUERY_WORDS
            assert set(re.findall(r'"([^"]*)"', query)) <= {*LogEvent, *LOG_LEVELS, "REPORT"}
    for call in calls["ops"]:
        check_call(call)


def test_twilio_codes_are_complete() -> None:
    """The section on the vendor's account names each of Twilio's codes that raise the alarm."""
    named = {int(code) for code in re.findall(r"`twilio_(\d+)`", SECTIONS["VendorAccountRefused"])}

    refused = {code for code, (kind, _) in errors.CODES.items() if issubclass(kind, AccountRefused)}
    no_funds = 402
    assert refused | errors.ALARMING | {no_funds} == named


def _lose_send(operator: OperatorChannel) -> list[str]:
    """A send ended with an unknown outcome hours ago."""
    body = operator.lose_send()
    operator.age_send("lost")
    return [body]


def _fail_final_update(operator: OperatorChannel) -> list[str]:
    """A message was sent, and its record could not be written."""
    body = context(conversation_id="unrecorded")
    with failing_operation(
        operator.channel, "UpdateItem", "AccessDeniedException", containing="message_sid"
    ):
        operator.channel.deliver(body)
    operator.age_send("unrecorded", 0.01)
    return [body]


def _store_old_token(operator: OperatorChannel) -> list[str]:
    """Twilio refuses the stored token until a message's deliveries are used up."""
    old = json.dumps({**CREDENTIALS, "twilio_auth_token": "old"})
    operator.channel.set_secret(TWILIO_SECRET, old)
    body = context(conversation_id="unpaid")
    operator.channel.deliver(body)
    assert "twilio_20003" == operator.channel.record("unpaid")["failure"]["code"]
    return [body]


def _kill_worker(operator: OperatorChannel) -> list[str]:
    """A worker died during its work."""
    body = operator.fail_temporarily("waited")
    operator.channel.set_fields("waited", conversation_status="processing", lease_expires_at=1)
    return [body]


def _hold(operator: OperatorChannel) -> list[str]:
    """A draft waits for an operator."""
    operator.conversation("held")
    return []


def _enqueue(operator: OperatorChannel) -> list[str]:
    """A message waits on the queue until the event source mapping is enabled again."""
    operator.enqueue(context())
    return []


def _keep_an_event(operator: OperatorChannel) -> list[str]:
    """A lookup's event used up its receives; the message was delivered meanwhile."""
    operator.channel.deliver(context())
    operator.channel.set_fields(open_since=1)
    lookup = {"primary_channel": RECIPIENT, "conversation_id": CONVERSATION}
    operator.dead_letter(json.dumps({"lookup": lookup}), events=True)
    return []


def _pause_template(operator: OperatorChannel) -> list[str]:
    """Messages were accepted, and not delivered because their template is paused."""
    for number in range(5):
        conversation = f"paused-{number}"
        operator.channel.twilio.fail_next(Fault.undelivered(63041))
        operator.channel.deliver(context(conversation_id=conversation))
        report = {"delivery_status": "undelivered", "delivery_error_code": "63041"}
        operator.channel.set_fields(conversation, **report)
    return []


PREPARATIONS: Mapping[str, Callable[[OperatorChannel], Iterable[str]]] = {
    "SendOutcomeUnknown": _lose_send,
    "FinalDbUpdateFailure": _fail_final_update,
    "VendorAccountRefused": _store_old_token,
    "NoMessageSent": lambda op: [op.fail_permanently(f"sender-{each}") for each in range(3)],
    "DeadLetters": lambda op: [op.fail_permanently("sender"), "no JSON"],
    "MoreDeadLetters": lambda op: [op.fail_temporarily(f"waited-{each}") for each in range(12)],
    "RepeatedFailure": lambda op: [op.fail_temporarily("waited")],
    "OldestHeldDraft": _hold,
    "OldestMessage": _enqueue,
    "FunctionErrors": _kill_worker,
    "FunctionThrottles": lambda _: [context()],
    "FunctionNearTimeout": lambda op: [op.fail_temporarily("waited")],
    # A message was sent, but counted as failed.
    "HeartbeatFailure": lambda op: [*op.channel.deliver(context()), context()],
    "EventsDeadLetters": _keep_an_event,
    "UndeliveredShare": _pause_template,
    "NoCallbacks": lambda op: op.channel.deliver(context()),  # without a request for callbacks
}
"""Causes each alarm, and returns the dead-letter messages."""
SENT = {"NoMessageSent": 3, "MoreDeadLetters": 12, "UndeliveredShare": 0}
"""How many messages arrive in the end, if not one."""
DRILLED_EVENTS = {"EventsDeadLetters", "UndeliveredShare", "NoCallbacks", "OldestHeldDraft"}
"""The alarms over delivery events and held drafts with which a command helps."""


def test_every_alarm_has_a_section_and_a_drill() -> None:
    """Template, runbook, drill and these tests have the same alarms."""
    assert sorted(case.subject for case in ALL_CASES) == sorted(ALARMS)
    alarms = sorted({*(case.subject for case in CASES), *DRILLED_EVENTS})

    assert alarms == sorted(_drills()) == sorted(PREPARATIONS)


@pytest.mark.parametrize("alarm", PREPARATIONS)
def test_drill_resolves_the_alarm(
    operator: OperatorChannel, callbacks: Callbacks, tmp_path: Path, alarm: str
) -> None:
    """No dead letter is left, each message is sent once, and no conversation is open."""
    operator.dead_letter(*PREPARATIONS[alarm](operator))

    for call in _calls(tmp_path, _drills()[alarm])["ops"]:
        is_check = call[:2] == ["secrets", "check"]  # finds the old token the first time
        secret = json.dumps(CREDENTIALS) if call[:2] == ["secrets", "set"] else None
        result = operator.run(*call, answer=secret)
        assert result.exit_code == 0 or is_check, result.output
        if "redrive" in call:
            operator.process_queue()
            assert 0 == callbacks.work()
    operator.process_queue()

    assert [] == operator.dead_letters() == operator.events()
    if alarm == "EventsDeadLetters":
        assert "delivered" == operator.channel.record()["delivery_status"]
    assert SENT.get(alarm, 1) == len(operator.channel.phone())
    for row in operator.succeed("conversation", "list"):
        is_discarded = row["failure"] == "dropped_by_operator"
        assert is_discarded or Status.SENT == row["status"], row
