"""Permissions of the function, operators and routers: exactly what their API calls require."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from lambda_src import index
from tests.alarms.situations import SITUATIONS
from tests.contract.permissions import (
    ALL_RESOURCES,
    Call,
    Permission,
    of_managed_policy,
    of_roles,
    of_services,
    record_calls,
    runtime_clients,
    with_deployed_names,
)
from tests.infra.synthesis import STACKS, Synthesized, synthesize
from tests.ops.conftest import operator  # noqa: F401 - a fixture
from tests.ops.operator_channel import ALIAS, OperatorChannel
from tests.privacy.test_erasure import to
from tests.support.channel import (
    ACCOUNT,
    API_KEY,
    OPENAI_SECRET,
    TOKEN,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)

QUEUE, DEAD_LETTERS = "ai-multi-comms-whatsapp-queue-dev", "ai-multi-comms-whatsapp-dlq-dev"
STACK = "ai-multi-comms-whatsapp-dev"
TABLE = "conversations-dev"
LOG = "/aws/lambda/whatsapp-channel-processor-dev"
KEY = "AWS::KMS::Key"
FUNCTION_ROLE = "ProcessorRole00D2607C"
OPERATOR, ROUTER = "ai-multi-comms-whatsapp-operator-dev", "ai-multi-comms-whatsapp-router-dev"
NUMBER = "+447700900321"
REASON = ("--reason", "request 17", "--yes")

BY_AWS = {
    ("sqs:ReceiveMessage", QUEUE),
    ("sqs:DeleteMessage", QUEUE),
    ("sqs:GetQueueAttributes", QUEUE),
    ("logs:CreateLogStream", LOG),
    ("logs:PutLogEvents", LOG),
}
"""Permissions of the function's role that the event source mapping and Lambda use."""

WITH_KEY = {("kms:Decrypt", f"{KEY} through sqs")} | {
    (f"kms:{action}", f"{KEY} through dynamodb")
    for action in (
        *("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"),
        *("GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"),
    )
}
"""Permissions that SQS and DynamoDB require of the function's role with the environment's key."""

WITHOUT_PERMISSION = {"sts:GetCallerIdentity"}
ON_ALL_RESOURCES = {
    "cloudformation:DescribeStacks",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "lambda:ListEventSourceMappings",
    "secretsmanager:ListSecrets",
}
"""Actions that IAM can allow on all resources only, or that the tool needs on all of them."""


@pytest.fixture
def used(channel: Channel, dev: Synthesized) -> set[Call]:
    """Return the permissions that the function uses in all situations of a message."""
    calls: set[Call] = set()
    for client in runtime_clients(channel):
        record_calls(client.meta.events, calls)
    for situation in SITUATIONS.values():
        situation.run(channel)
    _use_second_key(channel)
    names = {channel.queue_url.rpartition("/")[2]: QUEUE, channel.table: TABLE}
    secrets = [p.resource for p in of_roles(dev) if p.action.startswith("secretsmanager:")]
    return BY_AWS | with_deployed_names(calls, names, secrets)


def _use_second_key(channel: Channel) -> None:
    name = f"{OPENAI_SECRET}/second"
    channel.secretsmanager.create_secret(Name=name, SecretString=f'{{"ai_api_key": "{API_KEY}"}}')

    def change(document: dict[str, object]) -> None:
        openai_config(document)["api_key_reference"] = name

    channel.deliver(context(change, conversation_id="second-key"))


def test_function_has_the_permissions_that_it_uses(used: set[Call], dev: Synthesized) -> None:
    """Over all situations, the function's calls and its permissions are the same.

    With the environment's own key it may also use the key, through queue and table only.
    """
    with_key = synthesize(customer_managed_key=True)

    assert {Permission(FUNCTION_ROLE, *call) for call in used} == of_roles(dev)
    assert {Permission(FUNCTION_ROLE, *call) for call in used | WITH_KEY} == of_roles(with_key)


def test_there_is_no_other_role(dev: Synthesized) -> None:
    """Only the function has a role, and no managed policy adds to it."""
    (role,) = [each for stack in STACKS for each in dev.resources(stack, "AWS::IAM::Role")]

    assert FUNCTION_ROLE in dev.template("WhatsApp")["Resources"]
    assert not {"ManagedPolicyArns", "Policies"} & set(role["Properties"])


def test_permissions_of_services() -> None:
    """Alarms may publish to the topic; with a key, they and the log may use the key."""
    with_key = synthesize(customer_managed_key=True)
    topic = "AWS::SNS::TopicPolicy"
    alarms, logs = "cloudwatch.amazonaws.com", "logs.<AWS::Region>.<AWS::URLSuffix>"

    assert {Permission(alarms, "sns:Publish", topic)} == of_services(
        with_key, topic, "PolicyDocument"
    )
    users = [permission.who for permission in of_services(with_key, KEY, "KeyPolicy")]
    assert sorted([*2 * [alarms], *5 * [logs]]) == sorted(users)
    assert not of_services(with_key, "AWS::SQS::QueuePolicy", "PolicyDocument")


@pytest.fixture
def called(operator: OperatorChannel, dev: Synthesized, tmp_path: Path) -> set[Call]:  # noqa: F811 - a fixture
    """Return the calls of every command of the operator's tool, with the template's names."""
    index.batch_handler()  # its clients are created before the calls are recorded
    calls: set[Call] = set()
    record_calls(boto3.DEFAULT_SESSION.events, calls)  # type: ignore[union-attr]  # made by the fixture
    for arguments, answer in _commands(operator, tmp_path):
        result = operator.run(*arguments, answer=answer)
        assert 0 == result.exit_code, (arguments, result.output)
    names = {
        "queue": QUEUE,
        "dead-letters": DEAD_LETTERS,
        operator.channel.table: TABLE,
        STACK: f"{STACK}/*",
        ALIAS: ALIAS,
    }
    secrets = {p.resource for p in of_managed_policy(dev, OPERATOR) if "secret" in p.action}
    on_one = {call for call in calls if call[0] not in ON_ALL_RESOURCES | WITHOUT_PERMISSION}
    on_all = {(action, ALL_RESOURCES) for action, _ in calls if action in ON_ALL_RESOURCES}
    return with_deployed_names(on_one, names, secrets - {ALL_RESOURCES}) | on_all


def _commands(
    operator: OperatorChannel,  # noqa: F811 - a fixture
    folder: Path,
) -> Iterator[tuple[tuple[str, ...], str | None]]:
    """Yield every command with its input, after its messages and records were created."""
    body = context(conversation_id="letter")
    file = folder / "context.json"
    file.write_text(body)
    operator.dead_letter(body, "no JSON")
    operator.lose_send()
    operator.age_send("lost")
    credentials = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
    yield ("status",), None
    yield ("conversation", "list"), None
    yield ("conversation", "show", "lost"), None
    yield ("dlq", "list", "--messages"), None
    yield ("dlq", "show", "letter"), None
    yield ("dlq", "drop", "--cause", "body_not_json", *REASON), None
    yield ("dlq", "redrive", "--yes"), None
    yield ("unknown", "list"), None
    yield ("unknown", "resolve", "lost", "--not-sent", *REASON), None
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
    yield ("suppression", "add", NUMBER, *REASON), None
    yield ("suppression", "list"), None
    yield ("suppression", "list", "--recipient", NUMBER), None
    yield ("suppression", "lift", NUMBER, *REASON), None
    to_erase = context(to(NUMBER), conversation_id="to be erased")
    operator.channel.deliver(to_erase)
    operator.channel.sqs.send_message(QueueUrl=operator.channel.queue_url, MessageBody=to_erase)
    yield ("erase", "--recipient", NUMBER, *REASON), None


def test_operators_have_the_permissions_that_the_tool_uses(
    called: set[Call], dev: Synthesized
) -> None:
    """Over every command, the tool's calls and the operator policy are the same."""
    assert called == {(p.action, p.resource) for p in of_managed_policy(dev, OPERATOR)}


def test_routers_may_only_send(dev: Synthesized) -> None:
    """A router has one action on one queue; with a key, it may use the key through SQS only."""
    with_key = synthesize(customer_managed_key=True)
    send = Permission(ROUTER, "sqs:SendMessage", QUEUE)
    key = f"{KEY} through sqs"

    assert {send} == of_managed_policy(dev, ROUTER)
    assert {
        send,
        Permission(ROUTER, "kms:Decrypt", key),
        Permission(ROUTER, "kms:GenerateDataKey", key),
    } == of_managed_policy(with_key, ROUTER)


def test_operators_use_a_key_through_its_services_only() -> None:
    """With the environment's key, an operator may use it through queues and table."""
    allowed = of_managed_policy(synthesize(customer_managed_key=True), OPERATOR)

    of_key = {p.resource for p in allowed if p.action.startswith("kms:")}
    assert {f"{KEY} through sqs", f"{KEY} through dynamodb"} == of_key


def test_policies_are_per_channel(dev: Synthesized) -> None:
    """No policy of one channel allows anything on another's queues or secrets."""
    for stack, channel, other in (("WhatsApp", "whatsapp", "sms"), ("Sms", "sms", "whatsapp")):
        for role in ("operator", "router"):
            name = f"ai-multi-comms-{channel}-{role}-dev"
            resources = {p.resource for p in of_managed_policy(dev, name, stack)}
            assert not [resource for resource in resources if other in resource]
