"""A delivery out of an SQS event, and the handler around it."""

from typing import Any

import pytest

from lambda_src import index
from lambda_src.core.contract import Variable
from lambda_src.core.delivery import Delivery
from lambda_src.core.settings import ConfigurationError
from tests.unit.contexts import body, valid
from tests.unit.fakes.world import World


def sqs_record(message_id: str, text: str, receive_count: int = 1) -> dict[str, Any]:
    """One record of an SQS event."""
    return {
        "messageId": message_id,
        "receiptHandle": f"handle-of-{message_id}",
        "body": text,
        "attributes": {"ApproximateReceiveCount": str(receive_count), "SentTimestamp": "0"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


class LambdaTime:
    """Lambda's context, as far as the handler looks at it."""

    def get_remaining_time_in_millis(self) -> int:
        """Time until Lambda ends the function."""
        return 250_500


def handle(*records: dict[str, Any]) -> dict[str, Any]:
    """Call the handler as Lambda does."""
    return index.lambda_handler({"Records": list(records)}, LambdaTime())  # type: ignore[arg-type]


@pytest.fixture
def no_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container in which nothing was put together, without any configuration."""
    for name in Variable:
        monkeypatch.delenv(name, raising=False)
    index.batch_handler.cache_clear()


def test_a_record_becomes_a_delivery() -> None:
    """Ids, body, count and time are the event's."""
    delivery = Delivery.from_record(sqs_record("m", "{}", receive_count=3), lambda: 42.0)
    assert ("m", "handle-of-m", "{}", 3, 42.0) == (
        delivery.message_id,
        delivery.receipt_handle,
        delivery.body,
        delivery.receive_count,
        delivery.time_left(),
    )


def test_every_delivery_has_an_owner_of_its_own() -> None:
    """The same message, delivered twice, is two owners."""
    record = sqs_record("m", "{}")
    assert 100 == len({Delivery.from_record(record, lambda: 0).owner for _ in range(100)})


def test_the_handler_reports_what_must_not_be_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch in, and in SQS's own form the failures out."""
    monkeypatch.setattr(index, "batch_handler", world.batch)
    expected = {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert expected == handle(sqs_record("good", body(valid())), sqs_record("bad", "x"))
    assert 1 == len(world.sender.sent)


def test_a_batch_without_failures_reports_an_empty_list(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without the list would bring the whole batch back."""
    monkeypatch.setattr(index, "batch_handler", world.batch)
    assert {"batchItemFailures": []} == handle(sqs_record("good", body(valid())))


@pytest.mark.usefixtures("no_parts")
def test_a_misconfigured_function_takes_no_batch() -> None:
    """A missing variable raises: nothing may count as done."""
    with pytest.raises(ConfigurationError, match=r"CHANNEL.*QUEUE_URL.*CONVERSATIONS_TABLE"):
        handle(sqs_record("good", body(valid())))


def test_a_malformed_event_raises(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no SQS event is an error of the whole invocation."""
    monkeypatch.setattr(index, "batch_handler", world.batch)
    with pytest.raises(KeyError):
        handle({"messageId": "m"})
