"""Redriving and dropping dead letters of the local cloud."""

import pytest

from lambda_src.core.contract import Status
from local.dynamodb_gateway import Refusal
from tests.local.world.tool.duty import Duty
from tests.local.world.tool.interruption import ctrl_c
from tests.local.world.tool.ways import Way, exercises

REDRIVE = ("dlq", "redrive", "--rate", "1000")
DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant")
GO_ON = "what is done stays done: run the same command again to go on"


@exercises(Way.DONE, "dlq redrive")
def test_redriven_letters_arrive_once(duty: Duty) -> None:
    """Whatever state they are in: the deployed function sends what is due, and signs are left."""
    affairs = duty.dead("untouched", "waiting", "mended")
    (sent,) = duty.dead("sent")
    call = (*REDRIVE, "--company", duty.company, "--mended", "twilio_21606", "--reason", "mended")

    assert 4 == duty.done(*call, "--yes")["acted"]
    duty.await_sent(*affairs)

    assert ([], []) == (duty.letters(), duty.phone(sent))
    for affair in (*affairs, sent):
        assert {"mended"} == {line["why"] for line in duty.actions(affair)}


@exercises(Way.REFUSED, "dlq redrive")
def test_a_redrive_leaves_what_may_be_sent_or_failed(duty: Duty) -> None:
    """An unknown send and a failure that nobody says is mended stay, and a no leaves all."""
    affairs = duty.dead("unknown", "failed", "untouched")
    call = (*REDRIVE, "--company", duty.company)
    assert "nothing was changed" in duty.refused(*call, answer="n\n")
    stays = [*call, "--conversation", affairs[0].id, "--conversation", affairs[1].id]
    rows = duty.done(*stays, "--yes")["what_is_to_be_done"]

    assert [True, True] == [str(row["verdict"]).startswith("stays: ") for row in rows]
    assert sorted(affair.body for affair in affairs) == sorted(duty.letters())
    assert [[], [], []] == [duty.actions(affair) for affair in affairs]


@exercises(Way.INTERRUPTED, "dlq redrive")
def test_a_redrive_that_aws_refuses_amid_goes_on(duty: Duty) -> None:
    """The rest stays, what was done is shown; the next run does the rest, and nothing twice."""
    affairs = duty.dead("waiting", "waiting", "waiting")
    call = (*REDRIVE, "--company", duty.company, "--yes")
    duty.refuse_once("UpdateItem", Refusal.ACCESS_DENIED, after=1)

    told = duty.refused(*call)
    assert "what was done" in told
    assert GO_ON in told
    assert 1 <= len(duty.letters())
    duty.done(*call)
    duty.await_sent(*affairs)
    assert [] == duty.letters()


@exercises(Way.DONE, "dlq drop")
def test_dropped_letters_are_closed_and_gone(duty: Duty) -> None:
    """Their records say that they were given up, by whom and why."""
    affairs = duty.dead("untouched", "waiting", "failed")
    assert 3 == duty.done(*DROP, "--company", duty.company, "--yes")["acted"]
    assert [] == duty.letters()
    assert [Status.FAILED] * 3 == [duty.status(affair) for affair in affairs]
    whys = [line["why"] for affair in affairs for line in duty.actions(affair)]
    assert ["withdrawn by the tenant"] * 3 == whys


@exercises(Way.REFUSED, "dlq drop")
def test_a_drop_needs_a_choice_a_reason_and_a_decided_send(duty: Duty) -> None:
    """Without them nothing goes, nor with a no; nor does what may have been sent, ever."""
    unknown, waiting = duty.dead("unknown", "waiting")
    assert "say which" in duty.refused(*DROP, "--yes")
    chosen = ("--company", duty.company)
    assert "--reason is empty" in duty.refused("dlq", "drop", "--reason", " ", *chosen)
    assert "nothing was changed" in duty.refused(*DROP, *chosen, answer="n\n")
    assert 0 == duty.done(*DROP, "--conversation", unknown.id, "--yes")["acted"]
    assert sorted([unknown.body, waiting.body]) == sorted(duty.letters())


@exercises(Way.INTERRUPTED, "dlq drop")
@pytest.mark.parametrize("amid", ["dynamodb.UpdateItem", "sqs.DeleteMessage"])
def test_an_interrupted_drop_goes_on(duty: Duty, amid: str) -> None:
    """Called off at a record or at a letter, the next run finds what is left, and it is noted."""
    affairs = duty.dead("waiting", "waiting", "failed")
    call = (*DROP, "--company", duty.company, "--yes")
    with ctrl_c(duty.session, amid):
        told = duty.interrupted(*call)
    assert "what was done" in told
    assert GO_ON in told

    duty.done(*call)
    assert [] == duty.letters()
    assert [Status.FAILED] * 3 == [duty.status(affair) for affair in affairs]
    assert all(duty.actions(affair) for affair in affairs)
