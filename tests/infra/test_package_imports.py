"""Nothing is missing in the package: whatever an SDK imports on our paths is there."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.stand_ins import OpenAIStandIn, TwilioStandIn
from stacks.lambda_package import LambdaPackage
from tests.infra.missing_imports import missing_imports
from tests.infra.package_journeys import JOURNEYS, Journey
from tests.services import account
from tests.services.aws_server import aws_server
from tests.services.channel import Change, context, recipient_data

PROGRAM = Path(__file__).with_name("package_program.py")
NO_MODULES = ("ImportError", "ModuleNotFoundError", "No module named")

DOORS = {
    "aws_lambda_powertools.shared.functions": "turns pydantic models to JSON, and is given none",
    "botocore.useragent": "for type checkers",
    "openai._client": "each product's own attribute, and for type checkers",
    "openai._module_client": "for clients that are no objects",
    "openai.resources": "each product by its name, and for type checkers",
    "twilio.rest": "each product's own attribute, and for type checkers",
}
"""Modules that import what is not packed -> why that never happens here."""


@dataclass(frozen=True)
class Run:
    """What the packaged handler did with the journeys.

    Attributes:
        statuses: The record's status after each journey.
        output: Everything that it printed.
        modules: Everything that it imported.
    """

    statuses: list[str]
    output: str
    modules: list[str]


@pytest.fixture(scope="module")
def run(host_package: LambdaPackage) -> Iterator[Run]:
    """Run the packaged handler, and nothing but the package, through all journeys."""
    with (
        aws_server() as aws,
        pytest.MonkeyPatch.context() as patch,
        account.openai_stand_in() as openai,
        account.twilio_stand_in() as twilio,
    ):
        for name, value in aws.items():
            patch.setenv(name, value)
        yield _run(host_package, openai, twilio)


def test_every_journey_ends_as_it_should(run: Run) -> None:
    """From the package alone every path is gone: sends, errors, repetitions, settling."""
    assert [journey.status for journey in JOURNEYS] == run.statuses


def test_nothing_is_asked_for_in_vain(run: Run) -> None:
    """No path ends at a module that is not packed."""
    assert [] == [line for line in run.output.splitlines() if any(n in line for n in NO_MODULES)]


def test_what_is_left_out_is_behind_known_doors(run: Run, host_package: LambdaPackage) -> None:
    """Of the modules in use, only the listed ones hold imports of what is left out."""
    missing = missing_imports(host_package.directory, run.modules)

    assert set(DOORS) == set(missing), missing


def _run(package: LambdaPackage, openai: OpenAIStandIn, twilio: TwilioStandIn) -> Run:
    account.create_secrets()
    queue_url, table = account.create_queue(), account.create_table()
    process = subprocess.Popen(  # noqa: S603  # our own program, and no shell
        [sys.executable, "-I", "-S", "-B", str(PROGRAM)],
        cwd=package.directory,
        env={
            **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
            **account.variables(queue_url, table, openai, twilio),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    lines: list[str] = []
    statuses = []
    for journey in JOURNEYS:
        journey.prepare(openai, twilio)
        process.stdin.write(json.dumps(_event(journey, queue_url)) + "\n")
        process.stdin.flush()
        while (line := process.stdout.readline().strip()) not in {"handled", ""}:
            lines.append(line)
        statuses.append(_status(journey, table))
    rest, _ = process.communicate(timeout=60)
    *others, modules = rest.splitlines()
    return Run(statuses, "\n".join([*lines, *others]), json.loads(modules))


def _event(journey: Journey, queue_url: str) -> dict[str, Any]:
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=queue_url, MessageBody="a body")
    (message,) = sqs.receive_message(QueueUrl=queue_url)["Messages"]
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": context(journey.change, _to(journey), conversation_id=journey.name),
        "attributes": {"ApproximateReceiveCount": str(journey.receive_count)},
    }
    return {"Records": [record]}


def _to(journey: Journey) -> Change:
    return lambda document: recipient_data(document).update(recipient_tel=_recipient(journey))


def _recipient(journey: Journey) -> str:
    # One each, since they all get the same words, by which a lost one is found.
    return f"+4477009001{list(dict.fromkeys(j.name for j in JOURNEYS)).index(journey.name):02}"


def _status(journey: Journey, table: str) -> str:
    key = {"primary_channel": _recipient(journey), "conversation_id": journey.name}
    item = boto3.resource("dynamodb").Table(table).get_item(Key=key)["Item"]
    return str(item["conversation_status"])
