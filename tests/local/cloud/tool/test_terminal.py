"""Ctrl-C at a real terminal: the process ends and says what was done."""

from pathlib import Path

from local.fakes import Fault, Match
from local.lifecycle import wait_for
from ops.command import INTERRUPTED
from tests.local.cloud.messages import TIMEOUT_SECONDS
from tests.local.cloud.tool.local_operator import LocalOperator
from tests.local.cloud.tool.terminal import terminal
from tests.local.cloud.tool.ways import Way, exercises
from tests.support.channel import PREFIXES

RESUMABLE = "interrupted: completed work is kept: run the same command again to continue"


@exercises(Way.INTERRUPTED, "watch")
def test_a_watch_ends(operator: LocalOperator) -> None:
    """It ends immediately and without a traceback."""
    with terminal(operator.environment(), "watch", "--every", "600") as watch:
        watch.await_text("alarms:")
        watch.await_text("next steps")
        assert INTERRUPTED == watch.ctrl_c()
        assert watch.shown.endswith("interrupted: nothing was changed")


@exercises(Way.INTERRUPTED, "dlq redrive")
def test_a_redrive_is_interrupted_and_continues(operator: LocalOperator) -> None:
    """Of six messages some are redriven; the rest stays, and follows with the next run."""
    conversations = operator.dead(*["waiting"] * 6)
    call = ("dlq", "redrive", "--company", operator.company)
    with terminal(operator.environment(), *call, "--rate", "1") as redrive:
        redrive.await_text("Continue with 6 messages? [y/N]:")
        redrive.answer("y")
        assert wait_for(lambda: len(operator.dead_letters()) < 6, TIMEOUT_SECONDS)
        assert INTERRUPTED == redrive.ctrl_c()
        assert "done messages decision" in redrive.shown
        assert redrive.shown.endswith(RESUMABLE)
    left = len(operator.dead_letters())
    assert 0 < left < len(conversations)
    assert 0 == operator.dead_letters_in_flight()

    assert left == operator.succeed(*call, "--yes")["acted"]
    operator.await_sent(*conversations)


@exercises(Way.INTERRUPTED, "erase")
def test_an_erasure_is_interrupted_and_continues(operator: LocalOperator) -> None:
    """Interrupted at the second of two records, it shows the first one's id, not the number."""
    operator.await_empty_queues()
    first = operator.conversation("sent")
    second = operator.conversation("waiting", first.number)
    call = ("erase", "--recipient", first.number, "--reason", "request 17")
    operator.slow_down("DeleteItem", seconds=3, containing=second.id)
    with terminal(operator.environment(), *call) as erase:
        erase.await_text("Erase this? It cannot be undone. [y/N]:")
        erase.answer("y")
        assert wait_for(lambda: not operator.record(first), TIMEOUT_SECONDS)
        assert INTERRUPTED == erase.ctrl_c()
        assert "erased before the interruption" in erase.shown
        assert erase.shown.endswith(RESUMABLE)

    operator.succeed(*call, "--yes")
    assert ({}, {}) == (operator.record(first), operator.record(second))


@exercises(Way.INTERRUPTED, "secrets set")
def test_ctrl_c_at_a_prompt_is_an_interruption(operator: LocalOperator) -> None:
    """It is not an answer, and nothing was changed."""
    name = f"{PREFIXES[1]}{operator.company}"
    with terminal(operator.environment(), "secrets", "set", name) as prompt:
        prompt.await_text("twilio_account_sid:")
        prompt.answer(operator.fakes.credentials.twilio_account_sid)
        prompt.await_text("twilio_auth_token:")
        assert INTERRUPTED == prompt.ctrl_c()
        assert prompt.shown.endswith("interrupted: nothing was changed")


@exercises(Way.INTERRUPTED, "send")
def test_a_message_on_the_queue_is_sent_although_following_is_interrupted(
    operator: LocalOperator, tmp_path: Path
) -> None:
    """The terminal says how to see its progress."""
    conversation = operator.conversation()
    operator.fakes.openai.fail_next(Fault.slow(2), match=Match(contains=conversation.id))
    file = tmp_path / "context.json"
    file.write_text(conversation.body)
    with terminal(operator.environment(), "send", str(file), "--yes", "--follow") as send:
        send.await_text("on the queue: message")
        assert INTERRUPTED == send.ctrl_c()
        assert f"conversation show '{conversation.id}'" in send.shown
    operator.await_sent(conversation)
