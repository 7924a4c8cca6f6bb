"""Runs a channel in one process: real runtime and SDKs, AWS in memory, fakes of the vendors."""

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any, cast
from unittest.mock import patch

from moto.sqs.models import Message

from conformance.aws_account import QUEUE_URL, Account, FaultPoint, aws_account
from conformance.subject import Subject, Vendor
from lambda_src.core import ASSISTANTS_DIRECTORY
from lambda_src.processors import BatchHandler, Settings, build_handler, handle_event
from lambda_src.utils.assistant_definitions import AssistantFiles
from local.fakes import FakeOpenAI, aws
from local.fakes.clock import VirtualClock, with_clock

MAX_DELIVERIES = 60
AI_KEY = "fake-ai-key"
REMAINING_MS = 170_000


class _LambdaContext:
    def get_remaining_time_in_millis(self) -> int:
        return REMAINING_MS


@dataclass(frozen=True)
class Outcome:
    """What became of one queue message.

    Attributes:
        accepted: The ids of the messages that the vendor accepted.
        is_dead: Whether it is a dead-letter message; otherwise it was deleted.
        record: Its conversation's record; empty if there is none.
        lines: The log lines.
    """

    accepted: tuple[str, ...]
    is_dead: bool
    record: Mapping[str, Any]
    lines: tuple[str, ...]

    @property
    def status(self) -> str:
        """The record's status."""
        return str(self.record.get("conversation_status", "no record"))

    def describe(self, what: str) -> str:
        """Return what was processed, with the codes of its failures."""
        parsed = [json.loads(line) for line in self.lines]
        codes = dict.fromkeys(each["failure_code"] for each in parsed if "failure_code" in each)
        return f"{what} ({', '.join(codes)})" if codes else what

    def events(self, level: str) -> set[str]:
        """Return the events of the log lines of a level."""
        parsed = [json.loads(line) for line in self.lines]
        return {line["event"] for line in parsed if line.get("level") == level}


@dataclass(frozen=True)
class ChannelRunner:
    """Processes queue messages, each until it is deleted or a dead-letter message.

    Attributes:
        subject: The channel.
        account: Its AWS account.
        vendor: Its vendor.
        openai: The AI.
    """

    subject: Subject
    account: Account
    vendor: Vendor
    openai: FakeOpenAI
    _handler: BatchHandler
    _output: io.StringIO

    def process(
        self,
        body: str | dict[str, Any] | None = None,
        *,
        fault: tuple[str, FaultPoint] | None = None,
        prepare: Callable[[], object] = lambda: None,
    ) -> Outcome:
        """Send one message to empty resources, and deliver it until its end.

        Args:
            body: The message; by default the valid context object.
            fault: A call to AWS of the first delivery, and when it fails.
            prepare: Prepares the fakes after their reset.
        """
        self.vendor.reset()
        self.openai.reset()
        self._output.seek(0)
        self._output.truncate()
        self.account.reset(fault)
        prepare()
        content = self.subject.context() if body is None else body
        self.account.send(content if isinstance(content, str) else json.dumps(content))
        for _ in range(MAX_DELIVERIES):
            message = self.account.receive()
            if message is None:
                return self._outcome()
            self._deliver(message)
            self.account.calls.fault = None
        raise AssertionError(f"the message is on the queue after {MAX_DELIVERIES} deliveries")

    def _deliver(self, message: Message) -> None:
        record = {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.approximate_receive_count)},
        }
        context = cast("Any", _LambdaContext())
        response = handle_event(self._handler, {"Records": [record]}, context)
        if not response["batchItemFailures"]:
            self.account.delete(message)

    def _outcome(self) -> Outcome:
        records = self.account.records()
        lines = [line for line in self._output.getvalue().splitlines() if '"_aws"' not in line]
        return Outcome(
            tuple(self.vendor.accepted_ids()),
            bool(self.account.dead_letters()),
            records[0] if records else {},
            tuple(lines),
        )


@contextmanager
def running(subject: Subject, max_receive_count: int | None = None) -> Iterator[ChannelRunner]:
    """Provide a runner for a channel within the context.

    Args:
        subject: The channel.
        max_receive_count: Number of deliveries of a message; by default the template's.
    """
    clock, output = VirtualClock(), io.StringIO()
    with ExitStack() as stack:
        vendor = stack.enter_context(subject.vendor(clock))
        openai = stack.enter_context(FakeOpenAI(keys={AI_KEY}, models=_models(subject)))
        receives = max_receive_count or _max_receive_count(subject)
        account = stack.enter_context(aws_account(clock, receives, _secrets(subject, vendor)))
        environment = {
            **subject.variables(),
            **vendor.environment(),
            "QUEUE_URL": QUEUE_URL,
            "CONVERSATIONS_TABLE": aws.TABLE,
            "OPENAI_BASE_URL": openai.base_url,
            "TWILIO_TIMEOUT_SECONDS": "2",  # of any vendor: a request that hangs ends soon
        }
        stack.enter_context(patch.dict(os.environ, environment))
        stack.enter_context(redirect_stdout(output))
        handler = with_clock(clock, build_handler(Settings.from_environment(), subject.parts))
        yield ChannelRunner(subject, account, vendor, openai, handler, output)


def _max_receive_count(subject: Subject) -> int:
    queues = subject.of_type("AWS::SQS::Queue")
    name = subject.names.queue
    (count,) = [q["RedrivePolicy"]["maxReceiveCount"] for q in queues if q["QueueName"] == name]
    return int(count)


def _secrets(subject: Subject, vendor: Vendor) -> dict[str, Mapping[str, str]]:
    company, name = subject.context()["company_data_payload"], subject.name
    openai = company["ai_config"]["openai_config"][name]["api_key_reference"]
    secrets: dict[str, Mapping[str, str]] = {openai: {"ai_api_key": AI_KEY}}
    if subject.parts.has_credentials:
        secrets[company["channel_config"][name][f"{name}_credentials_id"]] = vendor.secret
    return secrets


def _models(subject: Subject) -> set[str]:
    config = subject.context()["company_data_payload"]["ai_config"]["openai_config"][subject.name]
    if config.get("assistant"):
        return {str(config["assistant"]["model"])}
    files = AssistantFiles(subject.parts.assistants or ASSISTANTS_DIRECTORY)
    found = files.find(config["assistant_id_template_sender"])
    return {found.model} if found else set()
