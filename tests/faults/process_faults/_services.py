"""AWS, OpenAI and Twilio as the workers meet them, in the driver's own process."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from moto.dynamodb.models import dynamodb_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import create_backend_app
from moto.sqs.models import Message, Queue, sqs_backends
from werkzeug.wrappers import Response

from local.fakes import FakeOpenAI, FakeService, FakeTwilio, OpenAISettings, TwilioSettings
from local.fakes import Fault as VendorFault
from local.fakes.aws import ACCOUNT, DEAD_LETTERS, QUEUE, REGION, create_queues
from local.fakes.server import rewind
from tests.faults.process_faults._clock import SharedTime
from tests.faults.process_faults.calls import TARGETS, CallName, Fault
from tests.faults.rules import Location
from tests.support.aws_account import clients, fake_openai, fake_twilio, mocked_account

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


@dataclass(frozen=True)
class Services:
    """AWS, OpenAI and Twilio, one of each per driver; `clock` is the time of SQS and Twilio.

    `aws_lock` is held while AWS answers, so that its effects have an order.
    """

    clock: SharedTime
    openai: FakeOpenAI
    twilio: FakeTwilio
    _aws: Mapping[str, "WSGIApplication"]
    aws_lock: Lock = field(default_factory=Lock)

    @property
    def vendors(self) -> Mapping[str, FakeService[Any]]:
        return {"openai": self.openai, "twilio": self.twilio}

    def answer(self, service: str, environ: dict[str, Any]) -> Response:
        """Let a service answer a request; AWS only under the lock."""
        is_vendor = service in self.vendors
        application = self.vendors[service].application if is_vendor else self._aws[service]
        rewind(environ)
        return Response.from_app(application, environ, buffered=True)

    def error(self, call: CallName, fault: Fault) -> Response:
        """Return the answer of a service that fails with one of the faults in `ERRORS`."""
        if call.service in self.vendors:
            return self.vendors[call.service].error_response(_VENDORS[call.service][fault])
        status, kind = _AWS[call.service][fault]
        answer = json.dumps({"__type": kind, "message": "injected"})
        return Response(answer, status, content_type="application/x-amz-json-1.0")

    def sids(self) -> tuple[str, ...]:
        """Return the messages that Twilio accepted, oldest first."""
        return tuple(message["sid"] for message in self.twilio.messages())

    def count_sent(self, text: str) -> int:
        """Return how many messages that Twilio accepted contain a text."""
        return sum(text in str(message["body"]) for message in self.twilio.messages())

    def item(self, table: str, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return an item in DynamoDB's JSON; to be called under the lock."""
        found = dynamodb_backends[ACCOUNT][REGION].get_item(table, dict(key))
        return found.to_json()["Attributes"] if found else None

    def reset(self) -> None:
        moto_api_backend.reset()
        self.clock.reset()
        self.openai.reset()
        self.openai.settings = OpenAISettings()
        self.twilio.reset()
        self.twilio.settings = TwilioSettings()


@contextmanager
def services(clock: SharedTime) -> Iterator[Services]:
    """Yield all services; AWS is left empty."""
    with (
        mocked_account(),
        patch("moto.sqs.models.unix_time", lambda: clock.now),
        patch("moto.sqs.models.unix_time_millis", lambda: clock.now * 1000),
    ):
        create_app: Callable[[str], WSGIApplication] = cast("Any", create_backend_app)
        aws = {name: create_app(name) for name in TARGETS.values()}
        yield Services(clock, fake_openai(), fake_twilio(lambda: clock.now), aws)
        moto_api_backend.reset()


HAND_OFFS = "hand-offs"


class MotoQueue:
    """The channel's queue and its dead-letter queue in moto, inspected from within."""

    def __init__(self, services: Services, max_receive_count: int) -> None:
        self._services = services
        self._url = create_queues(clients().sqs, max_receive_count)
        clients().sqs.create_queue(QueueName=HAND_OFFS)

    def send(self, body: str) -> str:
        with self._services.aws_lock:
            return clients().sqs.send_message(QueueUrl=self._url, MessageBody=body)["MessageId"]

    def receive(self) -> dict[str, Any] | None:
        with self._services.aws_lock:
            received = clients().sqs.receive_message(QueueUrl=self._url, AttributeNames=["All"])
        for message in received.get("Messages", ()):
            return {name[0].lower() + name[1:]: value for name, value in message.items()}
        return None

    def delete(self, receipt_handle: str) -> None:
        """Delete a message, as the event source mapping does with what did not fail."""
        with self._services.aws_lock:
            clients().sqs.delete_message(QueueUrl=self._url, ReceiptHandle=receipt_handle)

    def next_visible(self) -> float | None:
        """Return when the next message is or was visible; None if there is none on the queue."""
        return min((message.visible_at / 1000 for message in self._on_queue.values()), default=None)

    def count_visible(self) -> int:
        return sum(message.visible for message in self._on_queue.values())

    def visible_in(self, message_id: str) -> float | None:
        """Return in how many seconds a message is visible; None if it is not on the queue."""
        found = self._on_queue.get(message_id)
        # A difference of two large floats is off by a fraction of a microsecond.
        return round(found.visible_at / 1000 - self._services.clock.now, 3) if found else None

    def location(self, message_id: str) -> Location:
        if found := self._on_queue.get(message_id):
            return Location.ON_QUEUE if found.visible else Location.IN_FLIGHT
        is_dead = message_id in {message.id for message in _queue(DEAD_LETTERS)._messages}
        return Location.DEAD if is_dead else Location.DELETED

    def count_hand_offs(self) -> int:
        return len(_queue(HAND_OFFS)._messages)

    def redrive(self) -> None:
        """Move every dead-letter message back, as a message that was never received."""
        with self._services.aws_lock:
            dead = _queue(DEAD_LETTERS)
            messages, dead._messages = list(dead._messages), []
            for message in messages:
                message.approximate_receive_count = 0
                message.visible_at = 0.0
                _queue(QUEUE).add_message(message)

    @property
    def _on_queue(self) -> dict[str, Message]:
        return {message.id: message for message in _queue(QUEUE)._messages}


def _queue(name: str) -> Queue:
    return sqs_backends[ACCOUNT][REGION].get_queue(name)


# Common errors of each service, as (HTTP status, error):
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
# https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
_AWS = {
    "sqs": {
        Fault.SERVER_ERROR: (500, "com.amazonaws.sqs#InternalFailure"),
        Fault.REFUSED: (403, "com.amazonaws.sqs#AccessDeniedException"),
        Fault.THROTTLED: (403, "com.amazonaws.sqs#RequestThrottled"),
    },
    "dynamodb": {
        Fault.SERVER_ERROR: (500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
        Fault.REFUSED: (400, "com.amazon.coral.service#AccessDeniedException"),
        Fault.THROTTLED: (400, "com.amazon.coral.availability#ThrottlingException"),
    },
    "secretsmanager": {
        Fault.SERVER_ERROR: (500, "InternalServiceError"),
        Fault.REFUSED: (400, "AccessDeniedException"),
        Fault.THROTTLED: (400, "ThrottlingException"),
    },
}
_VENDORS = {
    "openai": {
        Fault.SERVER_ERROR: VendorFault.error(500, "server_error"),
        Fault.ERROR_YET_DONE: VendorFault.error(500, "server_error"),
        Fault.REFUSED: VendorFault.error(400, "context_length_exceeded"),
        Fault.CREDENTIALS: VendorFault.error(401, "invalid_api_key"),
        Fault.THROTTLED: VendorFault.error(429, "rate_limit_exceeded", retry_after=20),
    },
    "twilio": {
        Fault.SERVER_ERROR: VendorFault.error(500, 20500),
        Fault.ERROR_YET_DONE: VendorFault.error(500, 20500),
        Fault.REFUSED: VendorFault.error(400, 21610),
        Fault.CREDENTIALS: VendorFault.error(401, 20003),
        Fault.THROTTLED: VendorFault.error(429, 20429),
    },
}
