"""A deployed version 1.0 is updated to this one and rolled back, on the embedded AWS.

The event source mappings are disabled, so that no function runs: the test itself receives the
messages and invokes this version's handler, with the variables of the deployed function.
"""

import json
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from lambda_src import index
from lambda_src.core.contract import Status
from lambda_src.services.dynamodb import deserialize
from local.aws import Aws
from local.cloud import ACCOUNT, REGION
from local.emulator.metric_math import replace_metric_math
from local.emulator.ministack import MiniStack
from local.emulator.queue_metrics import queued_messages
from local.fakes import FakeOpenAI, FakeTwilio, Fault, Match
from local.fakes.server import HOST, free_port
from local.lifecycle import wait_for
from ops.vendor_copies import Kind, VendorCopies
from tests.infra.synthesis import synthesize
from tests.local.fakes.clients import twilio_client
from tests.support import channel as kit
from tests.support.fixtures import openai, openai_server, twilio, twilio_server
from tests.support.logs import restore_loggers
from tests.upgrade import version_1_0
from tests.upgrade.test_templates import DEPLOYED_ANEW

__all__ = ["openai", "openai_server", "twilio", "twilio_server"]

STACKS = {"Shared": "ai-multi-comms-shared-dev", "WhatsApp": "ai-multi-comms-whatsapp-dev"}
QUEUE, DEAD_LETTERS = "ChannelQueue4930F42B", "ChannelQueueDeadLetterQueue2FF975DF"
TABLE = "conversations-dev"
FUNCTION = "ProcessorFunction5B2A90E2"
ASSETS = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
DEPLOY_SECONDS = 60

EXPECTED = {
    "new": (Status.SENT, 1),
    "processing": (Status.SENT, 1),  # its lease is over
    "retry": (Status.SENT, 1),
    "retry_answered": (Status.SENT, 1),
    "sending": (Status.SENT, 1),  # found at Twilio, not sent again
    "send_unknown": (Status.SEND_UNKNOWN, 0),
    "initial_message_sent": (Status.SENT, 0),
    "failed": (Status.FAILED, 0),
    "opted_out": (Status.FAILED, 0),
    "suppressed": (Status.FAILED, 0),  # a new conversation with the recipient of `opted_out`
}
"""By conversation: the status after this version's delivery, and the recipient's messages."""
REPORTED = {"send_unknown", "failed", "opted_out", "suppressed"}
"""The conversations whose messages stay on the queue."""
HELD = "later_held"
LATER = {
    "later_retry": "retry",
    "later_sending": "sending",
    "later_failed": "failed",
    HELD: Status.AWAITING_APPROVAL,
}
"""Conversations of this version by the status that a fault gives them."""


class Deployment:
    """The shared and the WhatsApp stack of `dev` on an embedded AWS.

    Attributes:
        old: The templates of version 1.0.
        new: This version's.
    """

    def __init__(self, aws: Aws, scratch: Path) -> None:
        self._aws, self._s3 = aws, aws._client("s3")
        self.old = _deployable(version_1_0.TEMPLATES["dev"], scratch)
        assembly = synthesize("dev")
        self.new = _deployable({stack: assembly.template(stack) for stack in STACKS}, scratch)
        self._store_packages()

    def deploy(self, templates: dict[str, Any], *, operation: str = "update_stack") -> None:
        """Create or update the stacks, in the order of the CDK's command line."""
        for stack, name in STACKS.items():
            self._s3.put_object(Bucket=ASSETS, Key=name, Body=json.dumps(templates[stack]))
            url, capabilities = f"{self._aws.endpoint}/{ASSETS}/{name}", ["CAPABILITY_NAMED_IAM"]
            change: Any = getattr(self._aws.cloudformation, operation)
            change(StackName=name, TemplateURL=url, Capabilities=capabilities)
            assert ("COMPLETE", []) == wait_for(partial(self._result, name), DEPLOY_SECONDS)

    def physical_ids(self) -> dict[str, str]:
        """Return every resource's physical id by logical id, without versions of functions."""
        pages = self._aws.cloudformation.get_paginator("list_stack_resources").paginate
        found = [
            each
            for name in STACKS.values()
            for page in pages(StackName=name)
            for each in page["StackResourceSummaries"]
        ]
        return {
            each["LogicalResourceId"]: each["PhysicalResourceId"]
            for each in found
            if each["ResourceType"] not in DEPLOYED_ANEW
        }

    def messages(self) -> dict[str, dict[str, str]]:
        """Return the bodies on the channel's queues, by queue and message id."""
        ids = self.physical_ids()
        return {
            queue: {each.message_id: each.body for each in queued_messages(self._aws, ids[queue])}
            for queue in (QUEUE, DEAD_LETTERS)
        }

    def variables(self, openai: FakeOpenAI, twilio: FakeTwilio) -> dict[str, str]:
        """Return the environment of the deployed processor; no callbacks are requested."""
        name = self.physical_ids()[FUNCTION]
        found = self._aws.functions.get_function_configuration(FunctionName=name)
        variables = found["Environment"]["Variables"].items()
        vendors = {"OPENAI_BASE_URL": openai.base_url, "TWILIO_BASE_URL": twilio.base_url}
        aws = self._aws.command_environment().items()
        return {
            **{name: value for name, value in variables if name != "CALLBACK_BASE_URL"},
            **{name: value for name, value in aws if name.startswith("AWS_")},
            **vendors,
            "AWS_DEFAULT_REGION": self._aws.region,
        }

    def _result(self, name: str) -> tuple[str, list[str]] | None:
        """Return a stack's status without the operation, and what failed; None while it changes."""
        (stack,) = self._aws.cloudformation.describe_stacks(StackName=name)["Stacks"]
        status = stack["StackStatus"].removeprefix("CREATE_").removeprefix("UPDATE_")
        if status.endswith("IN_PROGRESS"):
            return None
        events = self._aws.cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [each for each in events if each["ResourceStatus"].endswith("_FAILED")]
        return status, [each.get("ResourceStatusReason", "") for each in failed]

    def _store_packages(self) -> None:
        """Store a package that is never run under the key of each function's code."""
        with ZipFile(package := BytesIO(), "w") as archive:
            archive.writestr("stub.py", "")
        self._s3.create_bucket(Bucket=ASSETS)
        for template in (*self.old.values(), *self.new.values()):
            for resource in template["Resources"].values():
                if resource["Type"] == "AWS::Lambda::Function":
                    key = resource["Properties"]["Code"]["S3Key"]
                    self._s3.put_object(Bucket=ASSETS, Key=key, Body=package.getvalue())


def _deployable(templates: dict[str, Any], scratch: Path) -> dict[str, Any]:
    """Return copies without the bootstrap's check and metric math; mappings are disabled."""
    files = {stack: scratch / f"{stack}.template.json" for stack in STACKS}
    for stack, file in files.items():
        file.write_text(json.dumps({n: templates[stack][n] for n in ("Resources", "Outputs")}))
    replace_metric_math(scratch)
    copies = {stack: json.loads(file.read_text()) for stack, file in files.items()}
    for copy in copies.values():
        for resource in copy["Resources"].values():
            if resource["Type"] == "AWS::Lambda::EventSourceMapping":
                resource["Properties"]["Enabled"] = False
    return copies


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """Run an embedded AWS without the app."""
    aws = Aws(f"http://{HOST}:{free_port()}", ACCOUNT, REGION)
    with MiniStack(aws, workdir=tmp_path_factory.mktemp("aws"), function_environment={}):
        yield aws


@pytest.fixture
def deployment(aws: Aws, tmp_path: Path) -> Deployment:
    """Deploy version 1.0, with an operator's secrets and a record in each state."""
    deployment = Deployment(aws, tmp_path)
    deployment.deploy(deployment.old, operation="create_stack")
    credentials = kit.TWILIO_CREDENTIALS | {"twilio_template_sid": kit.TEMPLATE}
    for name, value in (
        (kit.OPENAI_SECRET, {"ai_api_key": kit.API_KEY}),
        (kit.TWILIO_SECRET, credentials),
    ):
        aws.secretsmanager.put_secret_value(SecretId=name, SecretString=json.dumps(value))
    records = [version_1_0.record(state) for state in version_1_0.STATES]
    for item in (*records, version_1_0.SUPPRESSION):
        aws.dynamodb.put_item(TableName=TABLE, Item=item)
    return deployment


def test_an_upgrade_and_its_rollback_lose_nothing(
    aws: Aws,
    deployment: Deployment,
    openai: FakeOpenAI,
    twilio: FakeTwilio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Resources, messages and secrets stay, and each version continues the other's records."""
    ids = deployment.physical_ids()
    channel = _channel(aws, ids[QUEUE], openai, twilio)
    for conversation in EXPECTED:
        for queue in (QUEUE, DEAD_LETTERS) if conversation in REPORTED else (QUEUE,):
            aws.sqs.send_message(QueueUrl=ids[queue], MessageBody=_body(conversation))
    queued = deployment.messages()
    _accept_at_twilio("sending", twilio)

    deployment.deploy(deployment.new)
    assert ids.items() <= deployment.physical_ids().items()
    assert queued == deployment.messages()

    for name, value in deployment.variables(openai, twilio).items():
        monkeypatch.setenv(name, value)
    index.batch_handler.cache_clear()
    with restore_loggers():
        assert REPORTED == _process(channel)
        assert EXPECTED == {each: _outcome(channel, each) for each in EXPECTED}
        for body in map(_body, LATER):
            channel.sqs.send_message(QueueUrl=channel.queue_url, MessageBody=body)
        openai.fail_next("rate_limit_exceeded", match=Match(contains="later_retry"))
        for conversation, fault in (("later_sending", Fault.reset()), ("later_failed", "21211")):
            twilio.fail_next(fault, match=Match(contains=_recipient(conversation)))
        invented = Fault.wrong_output(json.dumps({"1": "Amara", "2": "Pay £99 today."}))
        drafts = Match(method="POST", paths=("/v1/responses",), contains=HELD)
        openai.fail_next(invented, times=2, match=drafts)
        assert REPORTED | LATER.keys() - {HELD} == _process(channel)
    assert LATER == {each: _outcome(channel, each)[0] for each in LATER}
    queued = deployment.messages()
    assert [7, 4] == [*map(len, queued.values())]

    deployment.deploy(deployment.old)
    assert ids == deployment.physical_ids()
    assert queued == deployment.messages()
    items = aws.dynamodb.scan(TableName=channel.table)["Items"]
    records = [each for each in items if "conversation_status" in each]
    assert len(EXPECTED | LATER) == len(records)
    # A worker of 1.0 moves messages of a held draft to the dead-letter queue, from which this
    # version's redrive removes them.
    unreadable = {each["conversation_id"]["S"]: version_1_0.unreadable(each) for each in records}
    assert {HELD: ["conversation_status"]} == {k: v for k, v in unreadable.items() if v}
    stored = aws.secretsmanager.get_secret_value(SecretId=kit.OPENAI_SECRET)["SecretString"]
    assert {"ai_api_key": kit.API_KEY} == json.loads(stored)


@pytest.mark.parametrize(
    ("change", "unreadable"),
    [
        ({"later": {"S": "an attribute of a later version"}}, []),
        ({"conversation_status": {"S": "awaiting_approval"}}, ["conversation_status"]),
        ({"attempt": {"S": "1"}}, ["attempt"]),
        ({"ai_answer": {"M": {"text": {"S": ""}}}}, ["ai_answer"]),
        ({"messages": {"L": [{"S": "text"}]}}, ["messages"]),
    ],
)
def test_what_1_0_cannot_read_is_found(change: dict[str, Any], unreadable: list[str]) -> None:
    """1.0 ignores new attributes, and reads of its own only the types that it wrote."""
    assert unreadable == version_1_0.unreadable(version_1_0.record("sending") | change)


def test_ids_of_1_0_are_found_for_an_erasure() -> None:
    """In a message without `response_id`, `message_id` is OpenAI's."""
    record = deserialize(version_1_0.record("initial_message_sent"))
    (message,) = record["messages"]
    assert "response_id" not in message
    found = {copy.kind: copy.id for copy in VendorCopies().find(record)}
    expected = (record["thread_id"], message["message_id"], record["message_sid"])
    assert expected == (found[Kind.CONVERSATION], found[Kind.RESPONSE], found[Kind.MESSAGE])


def _channel(aws: Aws, queue_url: str, openai: FakeOpenAI, twilio: FakeTwilio) -> kit.Channel:
    clients = (aws.sqs, aws.dynamodb, aws.secretsmanager)
    return kit.Channel(*clients, queue_url, "", TABLE, openai, twilio, list, list)


def _recipient(conversation: str) -> str:
    if conversation == "suppressed":
        return version_1_0.recipient("opted_out")
    if conversation in version_1_0.STATES:
        return version_1_0.recipient(conversation)
    return f"+4477009002{[*LATER, *EXPECTED].index(conversation):02}"


def _body(conversation: str) -> str:
    number = {"recipient_tel": _recipient(conversation)}

    def change(document: dict[str, Any]) -> None:
        kit.recipient_data(document).update(number)
        # As the example of 1.0 has it, which had no `message_guidance`.
        document["frontend_payload"]["project_data"]["next_step"] = "Ask for a good time to call."

    return kit.context(change, conversation_id=conversation)


def _accept_at_twilio(conversation: str, twilio: FakeTwilio) -> None:
    """Let Twilio have accepted a message whose response 1.0 did not receive."""
    record = deserialize(version_1_0.record(conversation))
    sender = record["channel_config"]["whatsapp"]["company_whatsapp_number"]
    twilio_client(twilio.base_url, kit.ACCOUNT, kit.TOKEN).messages.create(
        to=f"whatsapp:{record['primary_channel']}",
        from_=f"whatsapp:{sender}",
        content_sid=kit.TEMPLATE,
        content_variables=json.dumps(record["ai_answer"]["variables"]),
    )


def _process(channel: kit.Channel) -> set[str]:
    """Deliver the visible messages as one batch; return the conversations reported as failed."""
    messages = channel.sqs.receive_message(
        QueueUrl=channel.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
    )["Messages"]
    failed = channel.invoke(messages)
    for message in messages:
        if message["MessageId"] not in failed:
            channel.delete(message)
    bodies = [json.loads(each["Body"]) for each in messages if each["MessageId"] in failed]
    return {body["conversation_data"]["conversation_id"] for body in bodies}


def _outcome(channel: kit.Channel, conversation: str) -> tuple[str, int]:
    record = channel.record(conversation, _recipient(conversation))
    return record["conversation_status"], len(channel.twilio.inbox(_recipient(conversation)))
