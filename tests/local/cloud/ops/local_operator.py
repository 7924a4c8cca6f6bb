"""An operator of the local cloud, with conversations of a tenant of their own."""

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Any

import boto3

from lambda_src.core.contract import Status
from lambda_src.core.models import RecordKey
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.secret_schemas import twilio_credentials
from local.cloud import LocalCloud
from local.dynamodb_proxy import DynamoDBError
from local.emulator.queue_metrics import queued_messages
from local.fakes import InboxMessage, Match, Rule
from local.lifecycle import wait_for
from local.vendors import FakeVendors
from ops.console import Console
from ops.queues import QueueScanner
from ops.session import Session
from ops.unknown_sends import UnknownSend
from tests.local.cloud.messages import TIMEOUT_SECONDS
from tests.ops.conversation_states import STATES
from tests.ops.tool import Tool
from tests.support.channel import context, recipient_data

_tenants, _last_digits = count(1), count(1000)


@dataclass(frozen=True)
class Conversation:
    """A conversation that the operator handles: its recipient, its id and its context object."""

    number: str
    id: str
    body: str
    cloud: LocalCloud
    fakes: FakeVendors

    @property
    def record(self) -> dict[str, Any]:
        """Its record now, empty if there is none."""
        return self.cloud.channel.record(RecordKey(self.number, self.id))

    @property
    def status(self) -> str:
        """Its record's status, empty if there is no record."""
        return str(self.record.get("conversation_status", ""))

    @property
    def actions(self) -> list[Mapping[str, str]]:
        """Its audit entries."""
        return list(self.record.get("operator_actions", []))

    @property
    def inbox(self) -> list[InboxMessage]:
        """What the recipient has received."""
        return self.fakes.twilio.inbox(self.number)


@dataclass(frozen=True)
class LocalOperator(Tool):
    """One test's view of the local cloud; everything it creates is of a tenant of its own.

    Attributes:
        cloud: The local cloud.
        fakes: Its vendors.
        session: Creates the commands' clients.
        company: The tenant.
    """

    cloud: LocalCloud
    fakes: FakeVendors
    session: boto3.Session
    company: str = field(default_factory=lambda: f"tenant-{next(_tenants)}")

    def conversation(self, state: str = "untouched", number: str = "") -> Conversation:
        """Create a conversation in a state of `tests.ops.conversation_states`."""
        number = number or f"+1555010{next(_last_digits)}"

        def change(document: dict[str, Any]) -> None:
            recipient_data(document)["recipient_tel"] = number
            document["frontend_payload"]["company_data"]["company_id"] = self.company
            document["company_data_payload"]["company_id"] = self.company

        conversation_id = f"{self.company}#{state}#{number[-4:]}"
        body = context(change, conversation_id=conversation_id)
        table = ConversationsTable(
            self.cloud.aws.dynamodb, self.cloud.resources.table, "1.0.0", channel="whatsapp"
        )
        STATES[state].write(table, self._session.deployment.parse(body))
        return Conversation(number, conversation_id, body, self.cloud, self.fakes)

    def dead(self, *states: str) -> list[Conversation]:
        """Create conversations in these states, whose messages are dead letters."""
        conversations = [self.conversation(state) for state in states]
        self.dead_letter(*conversations)
        return conversations

    def dead_letter(self, *conversations: Conversation) -> None:
        """Put their messages into the dead-letter queue."""
        url = self.cloud.resources.dead_letter_queue_url
        for conversation in conversations:
            self.cloud.aws.sqs.send_message(QueueUrl=url, MessageBody=conversation.body)

    def dead_letters(self) -> list[str]:
        """Return the bodies of the tenant's dead letters, visible or in flight."""
        return self._bodies(self.cloud.resources.dead_letter_queue_url)

    def dead_letters_in_flight(self) -> int:
        """Return the number of dead letters in flight, of any tenant."""
        url = self.cloud.resources.dead_letter_queue_url
        return QueueScanner(self.cloud.aws.sqs, url).in_flight()

    def queued(self) -> list[str]:
        """Return the bodies of the tenant's messages on the queue."""
        return self._bodies(self.cloud.resources.queue_url)

    def await_sent(self, *conversations: Conversation) -> None:
        """Wait until each message is sent once and recorded."""
        sent = [Status.SENT] * len(conversations)
        assert wait_for(lambda: sent == [each.status for each in conversations], TIMEOUT_SECONDS)
        assert wait_for(lambda: not self.queued(), TIMEOUT_SECONDS)
        assert [1] * len(sent) == [len(each.inbox) for each in conversations]

    def await_empty_queues(self) -> None:
        """Wait until no channel's queue has messages, whose recipients `erase` cannot see."""
        urls = [channel.resources.queue_url for channel in self.cloud.channels.values()]
        assert wait_for(
            lambda: not any(queued_messages(self.cloud.aws, url) for url in urls), TIMEOUT_SECONDS
        )

    def deny_once(self, operation: str, *, after: int = 0, containing: str = "") -> None:
        """Let DynamoDB deny one request about this tenant, after so many of its kind."""
        match = Match(paths=(f"/{operation}",), contains=containing or self.company)
        rule = Rule(DynamoDBError.ACCESS_DENIED.fault(), match, skip=after)
        self.cloud.dynamodb_proxy.add_rule(rule)

    @contextmanager
    def ctrl_c(self, request: str) -> Iterator[None]:
        """Press Ctrl-C when AWS is about to receive the first such request, which goes through.

        Args:
            request: As botocore's events name it, such as `sqs.SendMessage`.
        """
        pressed = threading.Event()

        def press(**_: object) -> None:
            if not pressed.is_set():
                pressed.set()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        event = f"before-send.{request}"
        self.session.events.register(event, press)
        # A test run that was started in the background ignores the signal.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self.session.events.unregister(event, press)
        assert pressed.is_set(), f"{request} was not reached"

    def interrupted_at(self, request: str, *arguments: str, answer: str | None = None) -> str:
        """Run a command that Ctrl-C ends at a request; return its output."""
        with self.ctrl_c(request):
            return self.interrupted(*arguments, answer=answer)

    def send_without_record(self, conversation: Conversation) -> str:
        """Send a conversation's message through Twilio without recording it; return its sid."""
        deployment = self._session.deployment
        record = self._session.conversations.find_one(conversation.id, (conversation.number,))
        sender = deployment.parts.make_sender(deployment.settings)
        credentials = twilio_credentials(json.loads(self.fakes.credentials.twilio_secret))
        message = UnknownSend.from_record(record, deployment.channel).message
        template_id = self.fakes.credentials.template_sid or ""
        return sender.send(credentials, replace(message, template_id=template_id))

    def environment(self) -> dict[str, str]:
        """Return the variables that connect commands to the local cloud, through the proxy."""
        return {
            **self.cloud.aws.command_environment(),
            **self.fakes.function_environment(),
            "AWS_ENDPOINT_URL_DYNAMODB": self.cloud.dynamodb_proxy.url,
        }

    @cached_property
    def _session(self) -> Session:
        return Session("dev", "whatsapp", is_local=False, console=Console())

    def _bodies(self, queue_url: str) -> list[str]:
        bodies = (message.body for message in queued_messages(self.cloud.aws, queue_url))
        return [body for body in bodies if json.dumps(self.company) in body]
