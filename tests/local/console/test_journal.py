"""What the web console knows of conversations and faults, without a local cloud."""

from collections.abc import Iterator
from typing import Any

import pytest

from lambda_src.core import RecordKey, Status
from local.console import journal as journals
from local.console.faults import switches
from local.console.journal import Journal
from local.dynamodb_proxy import DynamoDBProxy
from local.fakes import FakeTwilio, RecordedRequest
from local.fault_injection import targets

KEY = RecordKey("+447700900123", "conversation-1")
SENDING = {
    "UpdateExpression": "SET conversation_status = :sending, written_by = :by REMOVE expires_at",
    "ExpressionAttributeValues": {
        ":sending": {"S": "sending"},
        ":by": {
            "M": {"checks": {"L": [{"M": {"name": {"S": "facts_only"}, "passed": {"BOOL": True}}}]}}
        },
    },
}


class Observed:
    """A journal, and requests to what it observes."""

    def __init__(self) -> None:
        self.database, self.twilio = DynamoDBProxy(""), FakeTwilio(accounts={})
        self.journal = Journal({"twilio": self.twilio}, [self.database])

    def write(
        self, path: str, body: dict[str, Any], *, status: int = 200, key: RecordKey = KEY
    ) -> None:
        names = {"primary_channel": key.primary_channel, "conversation_id": key.conversation_id}
        item = {name: {"S": value} for name, value in names.items()}
        parameters = {"Item": {**item, **body}} if path == "/PutItem" else {"Key": item, **body}
        self._notify(self.database, path, parameters, status)

    def acquire(self, key: RecordKey = KEY) -> None:
        fields = {"conversation_status": {"S": "processing"}, "attempt": {"N": "1"}}
        self.write("/PutItem", fields, key=key)

    def send(self, body: dict[str, Any]) -> None:
        self._notify(self.twilio, "/2010-04-01/Accounts/AC1/Messages.json", body, 201)

    def _notify(self, service: Any, path: str, body: dict[str, Any], status: int) -> None:
        for listener in service.listeners:
            listener(RecordedRequest(0, "POST", path, {}, body, 1.0, status), 0.5)

    def steps(self) -> list[tuple[str, str]]:
        known = self.journal.find(KEY)
        assert known is not None
        return [(step.what, step.problem) for step in known.steps]


@pytest.fixture
def observed() -> Iterator[Observed]:
    observed = Observed()
    yield observed
    observed.journal.close()
    assert not observed.database.listeners


def test_the_steps_of_a_conversation_are_named(observed: Observed) -> None:
    """Each write and each request to a vendor that names the conversation is a step."""
    observed.acquire()
    observed.write("/UpdateItem", SENDING)
    observed.send({"To": "whatsapp:+447700900123", "StatusCallback": "…/Y29udmVyc2F0aW9uLTE/x"})
    observed.send({"To": "whatsapp:+447700900124"})
    assert observed.steps() == [
        ("lease acquired, attempt 1", ""),
        ("draft checked, intent to send recorded: facts_only passed", ""),
        ("sent", ""),
    ]


def test_a_refused_write_changes_nothing(observed: Observed) -> None:
    """It is shown, and the status stays."""
    observed.acquire()
    observed.write("/UpdateItem", SENDING, status=400)
    assert observed.steps()[-1][1] == "HTTP 400"
    assert observed.journal.counts() == {Status.PROCESSING: 1}


def test_the_oldest_conversations_are_forgotten(
    observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is remembered is bounded, and the list has the latest change first."""
    monkeypatch.setattr(journals, "MAX_CONVERSATIONS", 2)
    keys = [RecordKey("+447700900123", name) for name in ("first", "second", "third")]
    for key in keys:
        observed.acquire(key)
    assert [each.key for each in observed.journal.latest(10)] == [keys[2], keys[1]]
    assert observed.journal.latest(10, text="THIRD") == observed.journal.latest(1)


@pytest.mark.parametrize("target", targets())
def test_every_fault_has_an_effect(target: str) -> None:
    """Each switch of the page says what follows for the message."""
    found = list(switches(target, targets()[target]))
    assert found
    assert [each.name for each in found if not each.effect] == []
