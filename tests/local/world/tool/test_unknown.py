"""Deciding unknown sends on the local cloud, both ways out."""

from lambda_src.core.contract import Status
from local.dynamodb_gateway import Refusal
from tests.local.world.tool.duty import Affair, Duty
from tests.local.world.tool.interruption import ctrl_c
from tests.local.world.tool.ways import Way, exercises

BECAUSE = ("--reason", "looked at the console")


def resolve(affair: Affair, *options: str) -> tuple[str, ...]:
    """A decision about an affair."""
    return ("unknown", "resolve", affair.id, *BECAUSE, *options)


@exercises(Way.DONE, "unknown resolve")
def test_what_was_sent_is_recorded(duty: Duty) -> None:
    """The message at Twilio is found and recorded; its letter is then removed, and not sent."""
    (affair,) = duty.dead("unknown")
    sid = duty.send_unseen(affair)
    shown = duty.run("unknown", "resolve", affair.id).stdout
    assert f"--sent {sid}" in shown

    assert duty.done(*resolve(affair, "--sent", sid, "--yes"))["changed"]
    duty.done("dlq", "redrive", "--conversation", affair.id, "--yes")
    assert ([], Status.SENT, 1) == (duty.letters(), duty.status(affair), len(duty.phone(affair)))
    assert f"recorded as sent: {sid}" == duty.actions(affair)[0]["what"]


@exercises(Way.DONE, "unknown resolve")
def test_what_was_not_sent_is_sent_once(duty: Duty) -> None:
    """Released and redriven, the deployed function sends it, with the text that was paid for."""
    (affair,) = duty.dead("unknown")
    assert duty.done(*resolve(affair, "--not-sent", "--yes"))["changed"]
    duty.done("dlq", "redrive", "--conversation", affair.id, "--yes")
    duty.await_sent(affair)
    released, redriven = duty.actions(affair)
    assert "released to retry: it was not sent" == released["what"]
    assert "dead letter redriven" == redriven["what"]


@exercises(Way.REFUSED, "unknown resolve")
def test_a_decision_against_what_twilio_has_is_refused(duty: Duty) -> None:
    """Neither a release of what Twilio lists, nor somebody else's sid, nor anything at a no."""
    affair, other = duty.affair("unknown"), duty.affair("unknown")
    sid, others = duty.send_unseen(affair), duty.send_unseen(other)
    assert sid in duty.refused(*resolve(affair, "--not-sent", "--yes"))
    assert "somebody else" in duty.refused(*resolve(affair, "--sent", others, "--yes"))
    assert "nothing was changed" in duty.refused(*resolve(affair, "--sent", sid), answer="n\n")
    assert (Status.SEND_UNKNOWN, []) == (duty.status(affair), duty.actions(affair))


@exercises(Way.REFUSED, "unknown resolve")
def test_a_decision_about_what_has_changed_is_refused(duty: Duty) -> None:
    """A second person comes too late, and is told what the record says by now."""
    affair = duty.affair("unknown")
    duty.done(*resolve(affair, "--not-sent", "--yes"))
    told = duty.refused(*resolve(affair, "--not-sent", "--yes"))
    assert "nothing is to be decided: the record says retry" in told
    assert 1 == len(duty.actions(affair))


@exercises(Way.INTERRUPTED, "unknown resolve")
def test_an_interrupted_decision_was_made_or_was_not(duty: Duty) -> None:
    """Called off while Twilio is asked it is none; refused by AWS it is none, and can be made."""
    affair = duty.affair("unknown")
    with ctrl_c(duty.session, "secrets-manager.GetSecretValue"):
        told = duty.interrupted(*resolve(affair, "--not-sent", "--yes"))
    assert "interrupted: nothing was changed" in told

    duty.refuse_once("UpdateItem", Refusal.ACCESS_DENIED)
    told = duty.refused(*resolve(affair, "--not-sent", "--yes"))
    assert "run the same command again" in told
    assert (Status.SEND_UNKNOWN, []) == (duty.status(affair), duty.actions(affair))

    assert duty.done(*resolve(affair, "--not-sent", "--yes"))["changed"]
    assert (Status.RETRY, 1) == (duty.status(affair), len(duty.actions(affair)))
