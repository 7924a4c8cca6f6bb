"""A deployed channel in the mocked account, with its dead-letter queue and the tool."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from lambda_src import index
from lambda_src.core.contract import HANDLER, Status
from lambda_src.services.dynamodb_service import ConversationsTable
from local.fakes import Fault
from tests.ops.conversation_states import STATES
from tests.ops.tool import Tool
from tests.support.channel import (
    RECIPIENT,
    Change,
    Channel,
    context,
    expire_send_deadline,
    recipient_data,
)

STACK = "ai-multi-comms-whatsapp-dev"
ALIAS = "live"
NAMESPACE = "AIComms/WhatsAppProcessor/Dev"


def to(number: str) -> Change:
    """Return a change of a context object: another recipient."""
    return lambda document: recipient_data(document).update(recipient_tel=number)


class Deployments:
    """Stacks of channels and their functions, as AWS describes them; moto takes long for both."""

    def __init__(self) -> None:
        self._stacks: dict[str, Any] = {}
        self._functions: dict[tuple[str, str], Any] = {}

    def clear(self) -> None:
        """Remove all of them."""
        self._stacks.clear()
        self._functions.clear()

    def add(
        self,
        variables: Mapping[str, str],
        queues: Mapping[str, str],
        stack: str = STACK,
        handler: str = HANDLER,
    ) -> None:
        """Add a stack with a channel's outputs, and the function that they name."""
        outputs = {"FunctionName": stack, "FunctionAlias": ALIAS}
        outputs |= {"QueueUrl": variables["QUEUE_URL"], **queues}
        described = [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()]
        self._stacks[stack] = {"StackName": stack, "Outputs": described}
        environment = {"Variables": {**variables, "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE}}
        self._functions[stack, ALIAS] = {"Handler": handler, "Environment": environment}

    def register(self, events: Any) -> None:
        """Answer the calls of all clients that the session with these events creates."""

        def note(params: Mapping[str, Any], context: dict[str, Any], **_: object) -> None:
            context["parameters"] = params

        def answer(model: Any, context: dict[str, Any], **_: object) -> Any:
            found = self.answer(model.name, context["parameters"])
            return None if found is None else (SimpleNamespace(status_code=HTTPStatus.OK), found)

        events.register("provide-client-params", note)
        events.register("before-call", answer)

    def answer(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """Return the answer of CloudFormation or Lambda; None if another service is called."""
        match operation, parameters:
            case "DescribeStacks", {"StackName": name} if name not in self._stacks:
                error: Any = {"Code": "ValidationError", "Message": f"Stack {name} does not exist"}
                raise ClientError({"Error": error}, operation)
            case "DescribeStacks", {"StackName": name}:
                return {"Stacks": [self._stacks[name]]}
            case "DescribeStacks", _:
                return {"Stacks": [*self._stacks.values()]}
            case "ListStackResources", {"StackName": _}:
                return {"StackResourceSummaries": []}
            case "GetFunctionConfiguration", {"FunctionName": name, "Qualifier": alias}:
                return self._functions[name, alias]
            case "ListEventSourceMappings", _:
                return {"EventSourceMappings": [{"State": "Enabled"}]}
        return None


@dataclass(frozen=True)
class OperatorChannel(Tool):
    """A deployed channel as an operator sees it.

    Attributes:
        channel: The channel, with its handler and the fake vendors.
        deployments: The stacks that the tool finds.
        dead_letter_queue_url: Its dead-letter queue.
        events_queue_url: The queue of its delivery events.
        events_dead_letter_queue_url: The dead-letter queue of these.
        hand_off_queue_url: The queue of copies of held context objects.
    """

    channel: Channel
    deployments: Deployments
    dead_letter_queue_url: str
    events_queue_url: str
    events_dead_letter_queue_url: str
    hand_off_queue_url: str

    def conversation(self, state: str, recipient: str = RECIPIENT, name: str = "") -> str:
        """Create a conversation in a state of `STATES`, by default named so; return its body."""
        body = context(to(recipient), conversation_id=name or state)
        channel = self.channel
        table = ConversationsTable(channel.dynamodb, channel.table, "1.0.0", channel="whatsapp")
        STATES[state].write(table, index.batch_handler().parse(body))
        return body

    def dead_letter(self, *bodies: str, events: bool = False) -> None:
        """Put messages into the dead-letter queue, or into that of the events."""
        url = self.events_dead_letter_queue_url if events else self.dead_letter_queue_url
        for body in bodies:
            self.channel.sqs.send_message(QueueUrl=url, MessageBody=body)

    def events(self) -> list[str]:
        """Return the bodies on both queues of delivery events, which stay visible."""
        return self._bodies(self.events_queue_url) + self._bodies(self.events_dead_letter_queue_url)

    def hand_off(self, body: str) -> None:
        """Put a copy of a context object on the hand-off queue."""
        self.channel.sqs.send_message(QueueUrl=self.hand_off_queue_url, MessageBody=body)

    def handed_off(self) -> list[str]:
        """Return the bodies on the hand-off queue, which stay visible."""
        return self._bodies(self.hand_off_queue_url)

    def enqueue(self, body: str) -> None:
        """Put a message on the channel's queue."""
        self.channel.sqs.send_message(QueueUrl=self.channel.queue_url, MessageBody=body)

    def dead_letters(self) -> list[str]:
        """Return the bodies in the dead-letter queue, which stay visible."""
        return self._bodies(self.dead_letter_queue_url)

    def queued(self) -> list[str]:
        """Return the bodies on the channel's queue, which stay visible."""
        return self._bodies(self.channel.queue_url)

    def process_queue(self) -> int:
        """Let the function process its whole queue; failed messages become dead letters.

        Returns:
            The number of processed messages.
        """
        total = 0
        while messages := self.channel.sqs.receive_message(
            QueueUrl=self.channel.queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", []):
            failed = self.channel.invoke(messages)
            for message in messages:
                if message["MessageId"] in failed:
                    self.dead_letter(message["Body"])
                self.channel.delete(message)
            total += len(messages)
        return total

    def status(self, conversation: str) -> str:
        return str(self.channel.record(conversation)["conversation_status"])

    def fail_temporarily(self, conversation: str) -> str:
        """Use up the deliveries of a message with a temporary failure; return its body."""
        body = context(conversation_id=conversation)
        self.channel.openai.fail_next("rate_limit_exceeded")
        self.channel.deliver(body)
        self.channel.deliver(body, receive_count=10)
        assert Status.RETRY == self.status(conversation)
        return body

    def fail_permanently(self, conversation: str, code: str = "21612") -> str:
        """Let Twilio refuse a message; return its body."""
        body = context(conversation_id=conversation)
        self.channel.twilio.fail_next(code)
        self.channel.deliver(body)
        assert Status.FAILED == self.status(conversation)
        return body

    def lose_send(self, receive_count: int = 10) -> str:
        """End the send of the conversation `lost` with an unknown outcome; return its body."""
        body = context(conversation_id="lost")
        self.channel.twilio.fail_next(Fault.reset())
        self.channel.deliver(body)
        expire_send_deadline(self.channel, "lost")
        self.channel.deliver(body, receive_count=receive_count)
        return body

    def age_send(self, conversation: str, hours: float = 2) -> None:
        """Move the intent of a conversation's send into the past."""
        at = self.channel.record(conversation)["send_intent_at"] - int(hours * 3600)
        self.channel.set_fields(conversation, send_intent_at=at, send_deadline=at + 15)

    def _bodies(self, url: str) -> list[str]:
        received = []
        while messages := self.channel.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60
        ).get("Messages"):
            received += messages
        for message in received:
            self.channel.sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
            )
        return [message["Body"] for message in received]
