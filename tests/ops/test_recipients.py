"""`suppression` and `erase`, about one recipient."""

import pytest

from lambda_src.core.contract import Status
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import RECIPIENT, context

REASON = ("--reason", "request 17", "--yes")
ERASE = ("erase", "--recipient", RECIPIENT, *REASON)


def test_a_suppressed_recipient_causes_no_vendor_request(operator: OperatorChannel) -> None:
    """Their message fails before the AI is asked; a dry run suppresses nobody."""
    add = ("suppression", "add", RECIPIENT, *REASON)
    operator.succeed(*add, "--dry-run")
    assert [] == operator.succeed("suppression", "list")
    assert ["suppressed", "was already suppressed"] == [
        operator.succeed(*add)["outcome"] for _ in range(2)
    ]
    body = context(conversation_id="suppressed")
    assert [body] == operator.channel.deliver(body)
    assert (0, Status.FAILED) == (operator.channel.vendor_calls(), operator.status("suppressed"))
    assert 1 == len(operator.succeed("suppression", "list"))


def test_messages_of_both_queues_are_erased(operator: OperatorChannel) -> None:
    """The receipt counts them; an unknown send stays, and so the erasure is not complete."""
    operator.channel.deliver(context(conversation_id="sent"))
    operator.lose_send()
    operator.dead_letter(context(conversation_id="dead"))
    operator.enqueue(context())

    output = operator.refused(*ERASE)
    assert "run the same command again in an hour" in output
    assert "1 in whatsapp queue, 1 in whatsapp dead letters" in output
    assert "conversation show 'lost'" in output
    assert ([], [], None, Status.SEND_UNKNOWN) == (
        operator.queued(),
        operator.dead_letters(),
        operator.channel.record("sent"),
        operator.status("lost"),
    )


@pytest.mark.parametrize("change", ["Erasure._sweep", "Suppressions.mark_erased"])
def test_an_interrupted_erasure_shows_what_was_erased(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    """The receipt so far is shown as incomplete, and the erasure can be repeated."""
    operator.channel.deliver(context(conversation_id="sent"))

    def interrupt(*_: object, **options: object) -> None:
        if options.get("change", True):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"ops.erasure.{change}", interrupt)
        assert "erased before the interruption" in operator.interrupted(*ERASE)
    assert operator.succeed(*ERASE)["is_complete"]
    assert operator.channel.record("sent") is None
