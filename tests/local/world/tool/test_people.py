"""Suppressing people and erasing them on the local cloud."""

import json

import pytest

from lambda_src.core.contract import Status
from local.dynamodb_gateway import Refusal
from local.waiting import wait_for
from tests.local.world.tool.duty import Affair, Duty
from tests.local.world.tool.interruption import ctrl_c
from tests.local.world.tool.ways import Way, exercises
from tests.local.world.traffic import PATIENCE_SECONDS

BECAUSE = ("--reason", "request 17")
each_change = pytest.mark.parametrize("change", ["add", "lift"])


def suppression(change: str, affair: Affair, *options: str) -> tuple[str, ...]:
    """A change of an affair's recipient."""
    return ("suppression", change, affair.number, *BECAUSE, *options)


def is_suppressed(duty: Duty, affair: Affair) -> bool:
    """Whether the tool lists the recipient."""
    return bool(duty.done("suppression", "list", "--recipient", affair.number))


def recipient(duty: Duty, *, before: str) -> Affair:
    """A conversation with somebody as they are before a change."""
    affair = duty.affair()
    if before == "lift":
        duty.done(*suppression("add", affair, "--yes"))
    return affair


@exercises(Way.DONE, "suppression list", "suppression add", "suppression lift")
def test_whom_a_person_suppresses_gets_nothing_until_it_is_lifted(duty: Duty) -> None:
    """The deployed function fails their message; lifted and redriven, it arrives."""
    affair = duty.affair()
    assert "suppressed" == duty.done(*suppression("add", affair, "--yes"))["outcome"]
    assert is_suppressed(duty, affair)
    duty.put(affair, duty.world.resources.queue_url)
    assert wait_for(duty.letters, PATIENCE_SECONDS)
    assert ("recipient_suppressed", []) == (
        duty.record(affair)["failure"]["code"],
        duty.phone(affair),
    )

    duty.done(*suppression("lift", affair, "--yes"))
    assert not is_suppressed(duty, affair)
    mended = ("--mended", "recipient_suppressed", "--conversation", affair.id)
    duty.done("dlq", "redrive", *mended, "--yes")
    duty.await_sent(affair)


@exercises(Way.REFUSED, "suppression add", "suppression lift")
@each_change
def test_a_change_without_a_yes_a_reason_or_a_number_is_none(duty: Duty, change: str) -> None:
    """The recipient is as before, and is quoted nowhere."""
    affair = recipient(duty, before=change)
    before = is_suppressed(duty, affair)
    assert "nothing was changed" in duty.refused(*suppression(change, affair), answer="n\n")
    bare = affair.number[1:]
    told = duty.refused("suppression", change, bare, *BECAUSE, "--yes")
    assert "expected a phone number in E.164 form" in told
    assert bare not in told
    no_reason = ("suppression", change, affair.number, "--reason", " ", "--yes")
    assert "--reason is empty" in duty.refused(*no_reason)
    assert before == is_suppressed(duty, affair)


@exercises(Way.INTERRUPTED, "suppression add", "suppression lift")
@each_change
def test_an_interrupted_change_is_begun_again(duty: Duty, change: str) -> None:
    """Refused by AWS it is not made; the next run makes it, and one more changes nothing."""
    affair = recipient(duty, before=change)
    duty.refuse_once("UpdateItem", Refusal.ACCESS_DENIED, containing="request 17")
    told = duty.refused(*suppression(change, affair, "--yes"))
    assert "run the same command again" in told
    assert (change == "lift") == is_suppressed(duty, affair)
    outcomes = [duty.done(*suppression(change, affair, "--yes"))["outcome"] for _ in range(2)]
    assert outcomes[0] != outcomes[1]
    assert "was" in outcomes[1]
    assert (change == "add") == is_suppressed(duty, affair)


@exercises(Way.DONE, "erase")
def test_a_person_is_erased(duty: Duty) -> None:
    """Records and letters go, the receipt names nobody, and an old message does not come back."""
    duty.await_quiet()
    sent = duty.affair("sent")
    dead = duty.affair("waiting", sent.number)
    duty.bury(dead)
    call = ("erase", "--recipient", sent.number, *BECAUSE)
    assert 2 == len(duty.done(*call, "--dry-run")["conversations"])
    receipt = duty.done(*call, "--yes")

    assert {sent.id, dead.id} == set(receipt["conversations"])
    assert 1 == receipt["removed"]["whatsapp dead letters"]
    assert ({}, {}, []) == (duty.record(sent), duty.record(dead), duty.letters())
    assert sent.number[1:] not in str({**receipt, "conversations": ()})


@exercises(Way.REFUSED, "erase")
def test_what_may_be_on_its_way_is_not_erased(duty: Duty) -> None:
    """An unknown send stays until it is decided; nothing goes at a no or without a reason."""
    unknown = duty.affair("unknown")
    sent = duty.affair("sent", unknown.number)
    call = ("erase", "--recipient", unknown.number)
    assert "expected a value" in duty.refused(*call, "--reason", " ", "--yes")
    assert "nothing was changed" in duty.refused(*call, *BECAUSE, answer="n\n")
    assert duty.record(sent)

    assert "run the same command in an hour" in duty.refused(*call, *BECAUSE, "--yes")
    assert ({}, Status.SEND_UNKNOWN) == (duty.record(sent), duty.status(unknown))


@exercises(Way.INTERRUPTED, "erase")
@pytest.mark.parametrize("amid", ["dynamodb.DeleteItem", "sqs.DeleteMessage"])
def test_an_interrupted_erasure_goes_on(duty: Duty, amid: str) -> None:
    """What was erased before is told, and the next run erases the rest."""
    duty.await_quiet()
    first = duty.affair("sent")
    second = duty.affair("waiting", first.number)
    duty.bury(second)
    call = ("erase", "--recipient", first.number, *BECAUSE, "--yes")
    with ctrl_c(duty.session, amid):
        told = duty.interrupted(*call)
    assert "what was erased before it was called off" in told
    assert "run the same command again" in told

    with ctrl_c(duty.session, "dynamodb.UpdateItem"):
        called_off = duty.run(*call, "--json")
    assert not json.loads(called_off.stdout)["is_complete"]
    duty.done(*call)
    assert ({}, {}, []) == (duty.record(first), duty.record(second), duty.letters())
