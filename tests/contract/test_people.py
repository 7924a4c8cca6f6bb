"""The policies of people and routers: what the tool really asks for, and nothing besides."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest

from lambda_src import index
from tests.contract.calls import Call, as_deployed, note_calls
from tests.contract.privileges import EVERYTHING, Privilege, of_managed
from tests.infra.synthesis import Synthesized, synthesize
from tests.ops.conftest import office  # noqa: F401 - a fixture
from tests.ops.deployed import ALIAS
from tests.ops.office import Office
from tests.privacy.test_opt_outs import to
from tests.services.channel import ACCOUNT, API_KEY, OPENAI_SECRET, TOKEN, TWILIO_SECRET, context

QUEUE, DEAD_LETTERS = "ai-multi-comms-whatsapp-queue-dev", "ai-multi-comms-whatsapp-dlq-dev"
STACK = "ai-multi-comms-whatsapp-dev"
TABLE = "conversations-dev"
OPERATOR, ROUTER = "ai-multi-comms-whatsapp-operator-dev", "ai-multi-comms-whatsapp-router-dev"
NUMBER = "+447700900321"
BECAUSE = ("--reason", "request 17", "--yes")

ANYBODY = {"sts:GetCallerIdentity": "everybody may ask who they are, whatever is denied"}
OF_EVERYTHING = frozenset(
    {
        "cloudformation:DescribeStacks",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:GetMetricData",
        "lambda:ListEventSourceMappings",
        "secretsmanager:ListSecrets",
    }
)
"""Actions that IAM can allow of everything alone, or that the tool asks about all there is."""

Show = Callable[[str, str], None]


@pytest.fixture
def called(office: Office, dev: Synthesized, tmp_path: Path) -> set[tuple[str, str]]:  # noqa: F811 - a fixture
    """What the tool asks of AWS over a day's work, by the template's names."""
    index.batch_handler()  # with clients of its own, which are nobody's business here
    calls: set[Call] = set()
    note_calls(boto3.DEFAULT_SESSION.events, calls)  # type: ignore[union-attr]  # made by the fixture
    for arguments, answer in a_days_work(office, tmp_path):
        result = office.run(*arguments, answer=answer)
        assert 0 == result.exit_code, (arguments, result.output)
    names = {
        "queue": QUEUE,
        "dead-letters": DEAD_LETTERS,
        office.channel.table: TABLE,
        STACK: f"{STACK}/*",
        ALIAS: ALIAS,
    }
    secrets = {p.resource for p in of_managed(dev, OPERATOR) if "secret" in p.action}
    of_one = {call for call in calls if call[0] not in OF_EVERYTHING | set(ANYBODY)}
    of_all = {(action, EVERYTHING) for action, _ in calls if action in OF_EVERYTHING}
    return as_deployed(of_one, names, secrets - {EVERYTHING}) | of_all


def a_days_work(
    office: Office,  # noqa: F811 - a fixture
    folder: Path,
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Every command, with what is typed into it; what it is about happens just before."""
    body = context(conversation_id="letter")
    file = folder / "context.json"
    file.write_text(body)
    office.bury(body, "no JSON")
    office.lose_a_send()
    office.let_hours_pass("lost")
    credentials = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
    yield ("status",), None
    yield ("conversation", "list"), None
    yield ("conversation", "show", "lost"), None
    yield ("dlq", "list", "--letters"), None
    yield ("dlq", "show", "letter"), None
    yield ("dlq", "drop", "--cause", "body_not_json", *BECAUSE), None
    yield ("dlq", "redrive", "--yes"), None
    yield ("unknown", "list"), None
    yield ("unknown", "resolve", "lost", "--not-sent", *BECAUSE), None
    yield ("send", str(file), "--yes"), None
    yield ("secrets", "check"), None
    yield ("secrets", "set", f"{TWILIO_SECRET}-2", "--yes"), json.dumps(credentials)
    yield ("secrets", "set", f"{TWILIO_SECRET}-2", "--yes"), json.dumps(credentials)
    yield ("secrets", "check", OPENAI_SECRET), None
    second = json.dumps({"ai_api_key": API_KEY})
    yield ("secrets", "set", OPENAI_SECRET, "--yes"), second
    yield ("secrets", "set", f"{OPENAI_SECRET}/second", "--yes"), second
    yield ("secrets", "check", f"{OPENAI_SECRET}/second"), None
    yield ("assistants", "check"), None
    yield ("suppression", "add", NUMBER, *BECAUSE), None
    yield ("suppression", "list"), None
    yield ("suppression", "list", "--recipient", NUMBER), None
    yield ("suppression", "lift", NUMBER, *BECAUSE), None
    to_be_erased = context(to(NUMBER), conversation_id="to be erased")
    office.channel.deliver(to_be_erased)
    office.channel.sqs.send_message(QueueUrl=office.channel.queue_url, MessageBody=to_be_erased)
    yield ("erase", "--recipient", NUMBER, *BECAUSE), None


def test_an_operator_may_do_what_the_tool_does(
    called: set[tuple[str, str]], dev: Synthesized, record_property: Show
) -> None:
    """Over every command, the calls and the privileges are the same."""
    allowed = {(p.action, p.resource) for p in of_managed(dev, OPERATOR)}
    rows = [f"{action}  {resource}" for action, resource in sorted(allowed)]
    record_property("table", "\n".join(["Privileges of an operator", *rows]))

    assert allowed == called


def test_a_router_may_send_and_nothing_else(dev: Synthesized) -> None:
    """One action on one queue; with a key of the environment's own, its use through SQS alone."""
    with_key = synthesize(customer_managed_key=True)
    key = "AWS::KMS::Key through sqs"
    send = Privilege(ROUTER, "sqs:SendMessage", QUEUE)

    assert {send} == of_managed(dev, ROUTER)
    assert {
        send,
        Privilege(ROUTER, "kms:Decrypt", key),
        Privilege(ROUTER, "kms:GenerateDataKey", key),
    } == of_managed(with_key, ROUTER)


def test_a_key_is_used_through_its_services_alone() -> None:
    """With a key of the environment's own, an operator uses it for queues and table."""
    allowed = of_managed(synthesize(customer_managed_key=True), OPERATOR)

    of_key = {p.resource for p in allowed if p.action.startswith("kms:")}
    assert {"AWS::KMS::Key through sqs", "AWS::KMS::Key through dynamodb"} == of_key


def test_every_channel_has_its_own(dev: Synthesized) -> None:
    """No policy of one channel opens another's queues or secrets."""
    for stack, channel in (("WhatsApp", "whatsapp"), ("Sms", "sms")):
        for name in (f"ai-multi-comms-{channel}-{who}-dev" for who in ("operator", "router")):
            named = {p.resource for p in of_managed(dev, name, stack)}
            other = {"WhatsApp": "sms", "Sms": "whatsapp"}[stack]
            assert not [resource for resource in named if other in resource]
