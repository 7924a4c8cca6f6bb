"""Ctrl-C at a real terminal: the signal ends a real process, which says how things stand."""

from pathlib import Path

from local.stand_ins import Fault, Match
from local.vendors import MADE_UP
from local.waiting import wait_for
from ops.command import INTERRUPTED
from tests.local.world.tool.duty import Duty
from tests.local.world.tool.terminal import terminal
from tests.local.world.tool.ways import Way, exercises
from tests.local.world.traffic import PATIENCE_SECONDS
from tests.services.channel import PREFIXES

GO_ON = "interrupted: what is done stays done: run the same command again to go on"


@exercises(Way.INTERRUPTED, "watch")
def test_a_watch_ends_on_ctrl_c(duty: Duty) -> None:
    """At once, without a traceback, and nothing was changed."""
    with terminal(duty.environment(), "watch", "--every", "600") as watch:
        watch.await_text("alarms:")
        watch.await_text("next")
        assert INTERRUPTED == watch.ctrl_c()
        assert watch.shown.endswith("interrupted: nothing was changed")


@exercises(Way.INTERRUPTED, "dlq redrive")
def test_a_redrive_is_called_off_and_goes_on(duty: Duty) -> None:
    """Of six letters some are on their way; the rest stays, and follows with the next run."""
    affairs = duty.dead(*["waiting"] * 6)
    call = ("dlq", "redrive", "--company", duty.company)
    with terminal(duty.environment(), *call, "--rate", "1") as redrive:
        redrive.await_text("Go on with 6 letters? [y/N]:")
        redrive.answer("y")
        assert wait_for(lambda: len(duty.letters()) < len(affairs), PATIENCE_SECONDS)
        assert INTERRUPTED == redrive.ctrl_c()
        assert "what was done letters verdict" in redrive.shown
        assert redrive.shown.endswith(GO_ON)
    left = len(duty.letters())
    assert 0 < left < len(affairs)
    assert 0 == duty.letters_in_hand()

    assert left == duty.done(*call, "--yes")["acted"]
    duty.await_sent(*affairs)


@exercises(Way.INTERRUPTED, "erase")
def test_an_erasure_is_called_off_and_goes_on(duty: Duty) -> None:
    """Amid the second of two records; the terminal shows the first one's id, and not the number."""
    duty.await_quiet()
    first = duty.affair("sent")
    second = duty.affair("waiting", first.number)
    call = ("erase", "--recipient", first.number, "--reason", "request 17")
    duty.slow_down("DeleteItem", seconds=3, containing=second.id)
    with terminal(duty.environment(), *call) as erase:
        erase.await_text("Erase this? It cannot be undone. [y/N]:")
        erase.answer("y")
        assert wait_for(lambda: not duty.record(first), PATIENCE_SECONDS)
        assert INTERRUPTED == erase.ctrl_c()
        assert "what was erased before it was called off" in erase.shown
        assert erase.shown.endswith(GO_ON)

    duty.done(*call, "--yes")
    assert ({}, {}) == (duty.record(first), duty.record(second))


@exercises(Way.INTERRUPTED, "secrets set")
def test_ctrl_c_at_a_question_is_an_interruption(duty: Duty) -> None:
    """Not an answer, and not nobody there: the command ends, and nothing was changed."""
    with terminal(duty.environment(), "secrets", "set", f"{PREFIXES[1]}{duty.company}") as prompt:
        prompt.await_text("twilio_account_sid:")
        prompt.answer(MADE_UP.twilio_account_sid)
        prompt.await_text("twilio_auth_token:")
        assert INTERRUPTED == prompt.ctrl_c()
        assert prompt.shown.endswith("interrupted: nothing was changed")


@exercises(Way.INTERRUPTED, "send")
def test_who_stops_following_knows_that_it_is_on_its_way(duty: Duty, tmp_path: Path) -> None:
    """The message arrives all the same, and the terminal says how to see that."""
    affair = duty.affair()
    duty.stand_ins.openai.fail_next(Fault.slow(2), match=Match(contains=affair.id))
    file = tmp_path / "context.json"
    file.write_text(affair.body)
    with terminal(duty.environment(), "send", str(file), "--yes", "--follow") as send:
        send.await_text("on the queue: message")
        assert INTERRUPTED == send.ctrl_c()
        assert f"the message is on the queue: conversation show '{affair.id}'" in send.shown
    duty.await_sent(affair)
