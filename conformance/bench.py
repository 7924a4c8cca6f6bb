"""A channel at work in one process: real runtime and SDKs, AWS in memory, made-up vendors."""

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast
from unittest.mock import patch

from conformance.account import Account, account
from conformance.boundaries import Moment
from conformance.subject import Subject, Vendor
from lambda_src.composition import answer, put_together
from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import Variable
from lambda_src.core.settings import Settings
from lambda_src.utils.assistant_definitions import DIRECTORY, AssistantFiles
from local.stand_ins import OpenAIStandIn
from local.stand_ins.virtual import VirtualClock, going_by

MOST_DELIVERIES = 60
AI_KEY = "made-up-ai-key"
SECONDS_LEFT = 170.0

Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class _LambdaContext:
    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return round(SECONDS_LEFT * 1000)


@dataclass(frozen=True)
class Ending:
    """What became of one queue message.

    Attributes:
        accepted: The ids of the messages that the vendor accepted.
        is_dead: Whether it is a dead letter; otherwise it was deleted.
        record: Its conversation's record; empty if there is none.
        lines: What was logged.
    """

    accepted: tuple[str, ...]
    is_dead: bool
    record: Mapping[str, Any]
    lines: tuple[str, ...]

    @property
    def status(self) -> str:
        """What the record says."""
        return str(self.record.get("conversation_status", "no record"))

    def events(self, level: str) -> set[str]:
        """The events of the log lines of a level."""
        parsed = [json.loads(line) for line in self.lines]
        return {line["event"] for line in parsed if line.get("level") == level}


class Bench:
    """One channel, to which messages are sent until each has come to its end.

    Attributes:
        subject: The channel.
        account: Its AWS.
        vendor: Its vendor.
        openai: The AI.
    """

    def __init__(
        self,
        subject: Subject,
        account: Account,
        vendor: Vendor,
        openai: OpenAIStandIn,
        output: io.StringIO,
    ) -> None:
        self.subject = subject
        self.account = account
        self.vendor = vendor
        self.openai = openai
        self._output = output

    def body(self, *changes: Change) -> str:
        """The good context object as JSON, after the changes."""
        document = self.subject.context()
        for change in changes:
            change(document)
        return json.dumps(document)

    def end_of(
        self,
        body: str,
        *,
        fails: tuple[str, Moment] | None = None,
        prepare: Callable[[], object] = lambda: None,
    ) -> Ending:
        """Send one message in a world without others, and follow it to its end.

        Args:
            body: The message's.
            fails: A call to AWS of the first delivery, and when it fails.
            prepare: Arranges what else is to happen, in the new world.
        """
        self._begin()
        prepare()
        self.account.send(body)
        self.account.boundaries.begin(fails)
        for _ in range(MOST_DELIVERIES):
            message = self.account.receive()
            if message is None:
                return self._ending()
            self._deliver(message)
            self.account.boundaries.fails = None
        raise AssertionError(f"the message is on the queue after {MOST_DELIVERIES} deliveries")

    @cached_property
    def handler(self) -> BatchHandler:
        """The handler as it is deployed, but for the clock."""
        handler = put_together(Settings.from_environment(), self.subject.parts)
        return going_by(self.account.clock, handler)

    def _begin(self) -> None:
        self.vendor.forget()
        self.openai.reset()
        self.account.furnish(self._secrets())
        self._output.seek(0)
        self._output.truncate()
        _ = self.handler

    def _secrets(self) -> dict[str, Mapping[str, str]]:
        company = self.subject.context()["company_data_payload"]
        name = self.subject.name
        openai = company["ai_config"]["openai_config"][name]["api_key_reference"]
        credentials = company["channel_config"][name][f"{name}_credentials_id"]
        return {openai: {"ai_api_key": AI_KEY}, credentials: self.vendor.secret}

    def _deliver(self, message: Any) -> None:
        record = {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
        }
        context = cast("Any", _LambdaContext())
        failed = answer(self.handler, {"Records": [record]}, context)["batchItemFailures"]
        if not failed:
            self.account.delete(message["ReceiptHandle"])

    def _ending(self) -> Ending:
        records = self.account.records()
        lines = [line for line in self._output.getvalue().splitlines() if '"_aws"' not in line]
        return Ending(
            tuple(self.vendor.accepted()),
            bool(self.account.dead_letters()),
            records[0] if records else {},
            tuple(lines),
        )


@contextmanager
def bench(subject: Subject) -> Iterator[Bench]:
    """A bench for one channel, while the context lasts."""
    clock, output = VirtualClock(), io.StringIO()
    with ExitStack() as running:
        vendor = running.enter_context(subject.vendor(clock))
        openai = running.enter_context(OpenAIStandIn(keys={AI_KEY}, models=_models(subject)))
        aws = running.enter_context(account(clock, _max_receive_count(subject)))
        environment = {
            **subject.variables(),
            **aws.variables(),
            **vendor.environment(),
            "OPENAI_BASE_URL": openai.base_url,
            Variable.TWILIO_TIMEOUT_SECONDS: "2",  # what hangs is waited for
        }
        running.enter_context(patch.dict(os.environ, environment))
        running.enter_context(redirect_stdout(output))
        yield Bench(subject, aws, vendor, openai, output)


def _max_receive_count(subject: Subject) -> int:
    queues = subject.of_type("AWS::SQS::Queue")
    (count,) = [q["RedrivePolicy"]["maxReceiveCount"] for q in queues if "RedrivePolicy" in q]
    return int(count)


def _models(subject: Subject) -> set[str]:
    config = subject.context()["company_data_payload"]["ai_config"]["openai_config"][subject.name]
    inline = config.get("assistant")
    if inline:
        return {str(inline["model"])}
    files = AssistantFiles(subject.parts.assistants or DIRECTORY)
    found = files.find(config["assistant_id_template_sender"])
    return {found.model} if found else set()
