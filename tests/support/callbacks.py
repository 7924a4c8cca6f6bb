"""Twilio's status callbacks of one channel, through the real receiver to the real worker."""

import base64
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from twilio.request_validator import RequestValidator

from lambda_src import events, receiver, scheduler
from lambda_src.core.delivery.events import EventBatchHandler
from tests.support.channel import ACCOUNT, CONVERSATION, RECIPIENT, TOKEN, Channel, context

BASE_URL = "https://callbacks.example/dev"
SENDER = "+447700900001"

Request = dict[str, Any]


@dataclass(frozen=True)
class Callbacks:
    """A channel's receiver, events queue and events worker.

    Attributes:
        channel: The channel, whose sends request callbacks.
        queue_url: The events queue.
    """

    channel: Channel
    queue_url: str

    def send(self, conversation_id: str = CONVERSATION) -> str:
        """Let the processor send a message, and return its sid."""
        assert [] == self.channel.deliver(context(conversation_id=conversation_id))
        sid: str = self.channel.twilio.messages()[-1]["sid"]
        return sid

    def url(self) -> str:
        """Return the URL that the last send gave to Twilio, without its fragment."""
        sent = [r for r in self.channel.twilio.requests if "StatusCallback" in r.body]
        return str(sent[-1].body["StatusCallback"]).partition("#")[0]

    def request(
        self,
        status: str,
        sid: str,
        *,
        url: str = "",
        token: str = TOKEN,
        signature: str | None = None,
        query: str = "",
        **form: str,
    ) -> Request:
        """Return Twilio's request as API Gateway passes it on; parameters overwrite the defaults.

        Args:
            status: Twilio's status of the message.
            sid: The message.
            url: Where it is sent; the last send's URL by default.
            token: Signs it.
            signature: Replaces the right one; empty: the request has none.
            query: The URL's query.
            form: Further parameters.
        """
        url = url or self.url()
        parameters = {
            "AccountSid": ACCOUNT,
            "ApiVersion": "2010-04-01",
            "From": f"whatsapp:{SENDER}",
            "MessageSid": sid,
            "MessageStatus": status,
            "SmsSid": sid,
            "SmsStatus": status,
            "To": f"whatsapp:{RECIPIENT}",
        } | form
        signed = url + (f"?{query}" if query else "")
        if signature is None:
            signature = RequestValidator(token).compute_signature(signed, parameters)  # type: ignore[no-untyped-call]
        headers = {"x-twilio-signature": signature} if signature else {}
        return {
            "version": "2.0",
            "rawPath": urlsplit(url).path.replace("/dev/", "/stage/"),
            "rawQueryString": query,
            "headers": {"content-type": "application/x-www-form-urlencoded", **headers},
            "body": base64.b64encode(urlencode(parameters).encode()).decode(),
            "isBase64Encoded": True,
        }

    def post(self, request: Request) -> None:
        assert {"statusCode": 204} == receiver.lambda_handler(request, None)

    def report(self, status: str, sid: str, **options: str) -> None:
        """Let Twilio report a status, and the worker record it."""
        self.post(self.request(status, sid, **options))
        assert 0 == self.work()

    def queued(self) -> list[Any]:
        """Receive what is on the events queue, as SQS's messages."""
        found: list[Any] = []
        while batch := self.channel.sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            found.extend(batch)
        return found

    def events(self) -> list[Any]:
        """Receive what is on the events queue, as the receiver put it there."""
        return [json.loads(message["Body"]) for message in self.queued()]

    def work(self, *bodies: str) -> int:
        """Let the worker process what is queued, or events with these bodies.

        Returns:
            How many events it did not finish.
        """
        for body in bodies:
            self.channel.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body)
        self.worker()
        messages = self.queued()
        failed = self.channel.invoke(messages, seconds_left=60, handler=events.lambda_handler)
        for message in messages:
            if message["MessageId"] not in failed:
                self.channel.sqs.delete_message(
                    QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        return len(failed)

    def worker(self) -> EventBatchHandler:
        """Return the worker, which has the processor's variables but its own queue."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("QUEUE_URL", self.queue_url)
            worker = events.events_handler()
        assert isinstance(worker, EventBatchHandler)
        return worker

    def schedule(self, seconds_left: float = 60) -> None:
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: round(seconds_left * 1000))
        scheduler.lambda_handler({}, context)

    def counts(self) -> dict[str, int]:
        """Return the sums of the worker's metrics since the last call, without zeros."""
        sums: dict[str, int] = {}
        for line in self.channel.read_metrics():
            for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]:
                name = metric["Name"]
                label = "/".join(filter(None, (name, line.get("step"), line.get("kind"))))
                sums[label] = sums.get(label, 0) + round(sum(line[name]))
        return {name: number for name, number in sums.items() if number}

    def delivery(self, conversation_id: str = CONVERSATION) -> tuple[Any, ...]:
        """Return the record's delivery status and error code."""
        record = self.channel.record(conversation_id)
        return record.get("delivery_status"), record.get("delivery_error_code")
