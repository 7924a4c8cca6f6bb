"""Redriving some letters and not others, and going on after an interruption."""

import pytest
from botocore.exceptions import ClientError

from ops.queueing import Queue
from tests.ops.office import Office
from tests.ops.test_redrive import REDRIVE, fail_for_good
from tests.services.channel import context


@pytest.mark.parametrize(
    ("option", "value"),
    [("--company", "demo-company"), ("--conversation", "chosen"), ("--cause", "no_record")],
)
def test_only_the_chosen_are_redriven(office: Office, option: str, value: str) -> None:
    """Others stay where they are, and are visible again at once."""
    chosen = context(conversation_id="chosen")
    other = fail_for_good(office.channel, "other")
    office.bury(chosen, other, "no JSON")
    office.done(*REDRIVE, option, value)
    assert [chosen] == office.queued()
    assert {other, "no JSON"} == set(office.dead_letters())


def test_a_trial_run_takes_so_many_and_no_more(office: Office) -> None:
    """Of fifteen letters four go back, and eleven stay visible."""
    office.bury(*(context(conversation_id=f"c{number}") for number in range(15)))
    assert 4 == office.done(*REDRIVE, "--limit", "4")["acted"]
    assert (4, 11) == (len(office.queued()), len(office.dead_letters()))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), "AccessDenied"])
@pytest.mark.parametrize("is_sent", [False, True])
def test_interrupted_and_started_again_it_goes_on(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: KeyboardInterrupt | str, is_sent: bool
) -> None:
    """Called off, or refused by AWS, before or after a letter is on the queue: none is doubled."""
    letters = [context(conversation_id=f"c{number}") for number in range(12)]
    office.bury(*letters)
    put, calls = Queue.put, iter(range(1000))

    def failing(self: Queue, body: str, company_id: str) -> str:
        if next(calls) < 4:
            return put(self, body, company_id)
        if is_sent:
            put(self, body, company_id)
        if isinstance(error, KeyboardInterrupt):
            raise error
        raise ClientError({"Error": {"Code": error, "Message": "made to fail"}}, "SendMessage")

    monkeypatch.setattr(Queue, "put", failing)
    result = office.run(*REDRIVE)
    assert (130 if isinstance(error, KeyboardInterrupt) else 1) == result.exit_code
    assert office.dead_letters()
    monkeypatch.setattr(Queue, "put", put)
    office.work_off()
    office.done(*REDRIVE)
    office.work_off()

    assert [] == office.dead_letters()
    assert 12 == len(office.channel.phone())
