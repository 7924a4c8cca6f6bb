"""What is called, against what the templates allow: no call too many, no privilege more."""

from collections.abc import Callable, Iterable, Mapping

import pytest

from tests.alarms.stories import STORIES
from tests.contract.calls import as_deployed, noted
from tests.contract.privileges import Privilege, of_roles, of_services, roles
from tests.infra.synthesis import STACKS, Synthesized, synthesize
from tests.services.channel import API_KEY, OPENAI_SECRET, Channel, context, openai_config

QUEUE = "ai-multi-comms-whatsapp-queue-dev"
TABLE = "conversations-dev"
LOG = "/aws/lambda/whatsapp-channel-processor-dev"
KEY = "AWS::KMS::Key"
FUNCTION_ROLE = "ProcessorRole00D2607C"

BY_THE_SERVICE = {
    ("sqs:ReceiveMessage", QUEUE): "the event source mapping polls with the function's role",
    ("sqs:DeleteMessage", QUEUE): "the event source mapping deletes what was not reported",
    ("sqs:GetQueueAttributes", QUEUE): "the event source mapping reads the queue's settings",
    ("logs:CreateLogStream", LOG): "Lambda opens the stream of an instance",
    ("logs:PutLogEvents", LOG): "Lambda writes the function's output",
}
"""Privileges that AWS uses on the function's behalf."""

WITH_A_KEY = {
    ("kms:Decrypt", f"{KEY} through sqs"): "SQS decrypts what the mapping receives",
    **{
        (f"kms:{action}", f"{KEY} through dynamodb"): "DynamoDB opens the table for its caller"
        for action in (
            "Decrypt",
            "DescribeKey",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
        )
    },
}
"""Privileges that AWS checks of the function's role where the environment has its own key."""

Used = Mapping[tuple[str, str], str]
"""By what each privilege is used."""
Show = Callable[[str, str], None]


@pytest.fixture
def used(channel: Channel, dev: Synthesized) -> Used:
    """The privileges that the stories use, of everything that can happen to a message."""
    calls = noted(channel)
    for story in STORIES.values():
        story.play(channel)
    _read_a_second_key(channel)
    names = {channel.queue_url.rpartition("/")[2]: QUEUE, channel.table: TABLE}
    secrets = [p.resource for p in of_roles(dev) if p.action.startswith("secretsmanager:")]
    made = dict.fromkeys(as_deployed(calls, names, secrets), "the runtime calls it")
    return {**BY_THE_SERVICE, **made}


def _read_a_second_key(channel: Channel) -> None:
    name = f"{OPENAI_SECRET}/second"
    channel.secretsmanager.create_secret(Name=name, SecretString=f'{{"ai_api_key": "{API_KEY}"}}')

    def use(document: dict[str, object]) -> None:
        openai_config(document)["api_key_reference"] = name

    channel.deliver(context(use, conversation_id="second-key"))


def test_every_call_is_allowed_and_every_privilege_is_used(
    used: Used, dev: Synthesized, record_property: Show
) -> None:
    """Over every way a message can take, the calls and the privileges are the same."""
    allowed = of_roles(dev)
    record_property(
        "table", _table("Privileges of the function, and what uses them", used, allowed)
    )

    assert allowed == {Privilege(FUNCTION_ROLE, *privilege) for privilege in used}


def test_a_key_adds_what_its_services_check(used: Used, record_property: Show) -> None:
    """With a key of the environment's own, the role may use it through queue and table only."""
    allowed = of_roles(synthesize(customer_managed_key=True))
    with_key = {**used, **WITH_A_KEY}
    record_property("table", _table("The same with a key", with_key, allowed))

    assert allowed == {Privilege(FUNCTION_ROLE, *privilege) for privilege in with_key}


def test_there_is_no_other_role(dev: Synthesized) -> None:
    """Nobody but the function has privileges, and no managed policy adds to them."""
    assert {FUNCTION_ROLE} == roles(dev)
    (role,) = dev.resources("WhatsApp", "AWS::IAM::Role")
    assert not {"ManagedPolicyArns", "Policies"} & set(role["Properties"])


def test_resources_let_in_who_is_needed() -> None:
    """Of services, CloudWatch may publish alarms; with a key, it and the log may use the key."""
    with_key = synthesize(customer_managed_key=True)
    topic, key = "AWS::SNS::TopicPolicy", "AWS::KMS::Key"
    alarms, logs = "cloudwatch.amazonaws.com", "logs.<AWS::Region>.<AWS::URLSuffix>"

    assert {Privilege(alarms, "sns:Publish", topic)} == of_services(
        with_key, topic, "PolicyDocument"
    )
    assert {(alarms, 2), (logs, 5)} == _counted(of_services(with_key, key, "KeyPolicy"))
    assert not of_services(with_key, "AWS::SQS::QueuePolicy", "PolicyDocument")
    assert any(with_key.resources(stack, "AWS::CloudWatch::Alarm") for stack in STACKS)


def _counted(privileges: Iterable[Privilege]) -> set[tuple[str, int]]:
    services = [privilege.who for privilege in privileges]
    return {(service, services.count(service)) for service in services}


def _table(title: str, used: Used, allowed: set[Privilege]) -> str:
    found = {(privilege.action, privilege.resource) for privilege in allowed}
    rows = [
        (
            action,
            resource,
            "allowed" if (action, resource) in found else "NOT ALLOWED",
            used.get((action, resource), "USED BY NOBODY"),
        )
        for action, resource in sorted({*used, *found})
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([title, *lines])
