"""An operator of the local cloud, with conversations of a tenant of their own."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import boto3

from lambda_src.core.contract import Status
from lambda_src.core.models import RecordKey
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.secret_schemas import twilio_credentials
from local.cloud import LocalCloud
from local.dynamodb_proxy import DynamoDBError
from local.emulator.queue_metrics import queued_messages
from local.fakes import Fault, InboxMessage, Match, Rule
from local.lifecycle import wait_for
from local.vendors import FakeVendors
from ops.console import Console
from ops.queues import QueueScanner
from ops.session import Session
from ops.unknown_sends import UnknownSend
from tests.local.cloud.messages import TIMEOUT_SECONDS
from tests.ops.conversation_states import STATES, StateWriter
from tests.ops.tool import Tool
from tests.support.channel import context, recipient_data


@dataclass(frozen=True)
class Conversation:
    """A conversation that the operator handles.

    Attributes:
        key: The key of its record.
        body: Its context object.
    """

    key: RecordKey
    body: str

    @property
    def id(self) -> str:
        """The conversation's id."""
        return self.key.conversation_id

    @property
    def number(self) -> str:
        """The recipient's number."""
        return self.key.primary_channel


@dataclass(frozen=True)
class LocalOperator(Tool):
    """One test's view of the local cloud; everything it creates is of a tenant of its own.

    Attributes:
        cloud: The local cloud.
        fakes: Its vendors.
        session: Creates the tool's clients.
        company: The tenant.
        numbers: Unused recipients.
    """

    cloud: LocalCloud
    fakes: FakeVendors
    session: boto3.Session
    company: str
    numbers: Iterator[str]

    def conversation(self, state: str = "untouched", number: str = "") -> Conversation:
        """Create a conversation in a state of `tests.ops.conversation_states`."""
        number = number or next(self.numbers)

        def change(document: dict[str, Any]) -> None:
            recipient_data(document)["recipient_tel"] = number
            document["frontend_payload"]["company_data"]["company_id"] = self.company
            document["company_data_payload"]["company_id"] = self.company

        conversation_id = f"{self.company}#{state}#{number[-4:]}"
        body = context(change, conversation_id=conversation_id)
        STATES[state].write(StateWriter(self._table, self._tool.deployment.parse(body)))
        return Conversation(RecordKey(number, conversation_id), body)

    def dead(self, *states: str) -> list[Conversation]:
        """Create conversations in these states, whose messages are dead letters."""
        conversations = [self.conversation(state) for state in states]
        self.dead_letter(*conversations)
        return conversations

    def dead_letter(self, *conversations: Conversation) -> None:
        """Put their messages into the dead-letter queue."""
        for conversation in conversations:
            self._send(self.cloud.resources.dead_letter_queue_url, conversation)

    def enqueue(self, conversation: Conversation) -> None:
        """Put its message on the channel's queue."""
        self._send(self.cloud.resources.queue_url, conversation)

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

    def record(self, conversation: Conversation) -> dict[str, Any]:
        """Return its record, empty if there is none."""
        return self.cloud.channel.record(conversation.key)

    def status(self, conversation: Conversation) -> str:
        """Return its record's status, empty if there is no record."""
        return str(self.record(conversation).get("conversation_status", ""))

    def actions(self, conversation: Conversation) -> list[Mapping[str, str]]:
        """Return its audit entries."""
        return list(self.record(conversation).get("operator_actions", []))

    def inbox(self, conversation: Conversation) -> list[InboxMessage]:
        """Return what the recipient has received."""
        return self.fakes.twilio.inbox(conversation.number)

    def await_sent(self, *conversations: Conversation) -> None:
        """Wait until each message is sent once and recorded."""
        sent = [Status.SENT] * len(conversations)
        assert wait_for(lambda: sent == [*map(self.status, conversations)], TIMEOUT_SECONDS)
        assert wait_for(lambda: not self.queued(), TIMEOUT_SECONDS)
        assert [1] * len(sent) == [len(self.inbox(each)) for each in conversations]

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

    def slow_down(self, operation: str, *, seconds: float, containing: str) -> None:
        """Delay DynamoDB's response to one request."""
        match = Match(paths=(f"/{operation}",), contains=containing)
        self.cloud.dynamodb_proxy.add_rule(Rule(Fault.slow(seconds), match))

    def send_without_record(self, conversation: Conversation) -> str:
        """Send a conversation's message through Twilio without recording it; return its sid."""
        deployment = self._tool.deployment
        record = self._tool.conversations.find_one(conversation.id, conversation.number)
        sender = deployment.parts.make_sender(deployment.settings)
        credentials = twilio_credentials(json.loads(self.fakes.credentials.twilio_secret))
        message = UnknownSend.from_record(record, deployment.channel).message
        template_sid = self.fakes.credentials.template_sid or ""
        return sender.send(credentials, replace(message, template_sid=template_sid))

    def environment(self) -> dict[str, str]:
        """Return the variables that lead the tool to the local cloud, and through the proxy."""
        return {
            **self.cloud.aws.command_environment(),
            **self.fakes.function_environment(),
            "AWS_ENDPOINT_URL_DYNAMODB": self.cloud.dynamodb_proxy.url,
        }

    @cached_property
    def _tool(self) -> Session:
        return Session("dev", "whatsapp", is_local=False, console=Console())

    @cached_property
    def _table(self) -> ConversationsTable:
        table = self.cloud.resources.table
        return ConversationsTable(self.cloud.aws.dynamodb, table, "1.0.0", channel="whatsapp")

    def _send(self, queue_url: str, conversation: Conversation) -> None:
        self.cloud.aws.sqs.send_message(QueueUrl=queue_url, MessageBody=conversation.body)

    def _bodies(self, queue_url: str) -> list[str]:
        bodies = (message.body for message in queued_messages(self.cloud.aws, queue_url))
        return [body for body in bodies if json.dumps(self.company) in body]
