"""`unknown resolve` on the local cloud, with both decisions."""

from lambda_src.core.contract import Status
from tests.local.cloud.tool.local_operator import Conversation, LocalOperator
from tests.local.cloud.tool.terminal import ctrl_c
from tests.local.cloud.tool.ways import Way, exercises


def resolve(conversation: Conversation, *options: str) -> tuple[str, ...]:
    """Return a decision about a conversation."""
    reason = ("--reason", "looked at the console")
    return ("unknown", "resolve", conversation.id, *reason, *options)


@exercises(Way.DONE, "unknown resolve")
def test_a_message_that_was_sent_is_recorded(operator: LocalOperator) -> None:
    """The message at Twilio is found and recorded; its dead letter is removed without a send."""
    (conversation,) = operator.dead("unknown")
    sid = operator.send_without_record(conversation)
    shown = operator.run("unknown", "resolve", conversation.id).stdout
    assert f"--sent {sid}" in shown

    assert operator.succeed(*resolve(conversation, "--sent", sid, "--yes"))["changed"]
    operator.succeed("dlq", "redrive", "--conversation", conversation.id, "--yes")
    assert ([], Status.SENT, 1) == (
        operator.dead_letters(),
        operator.status(conversation),
        len(operator.inbox(conversation)),
    )
    assert f"recorded as sent: {sid}" == operator.actions(conversation)[0]["what"]


@exercises(Way.DONE, "unknown resolve")
@exercises(Way.INTERRUPTED, "unknown resolve")
def test_a_message_that_was_not_sent_is_sent_once(operator: LocalOperator) -> None:
    """Interrupted or denied by AWS, the decision is not applied; repeated, it is."""
    (conversation,) = operator.dead("unknown")
    call = resolve(conversation, "--not-sent", "--yes")
    with ctrl_c(operator.session, "secrets-manager.GetSecretValue"):
        output = operator.interrupted(*call)
    assert "interrupted: nothing was changed" in output
    operator.deny_once("UpdateItem")
    assert "run the same command again" in operator.refused(*call)
    assert (Status.SEND_UNKNOWN, []) == (
        operator.status(conversation),
        operator.actions(conversation),
    )

    assert operator.succeed(*call)["changed"]
    operator.succeed("dlq", "redrive", "--conversation", conversation.id, "--yes")
    operator.await_sent(conversation)
    assert ["released to retry: it was not sent", "dead letter redriven"] == [
        entry["what"] for entry in operator.actions(conversation)
    ]


@exercises(Way.REFUSED, "unknown resolve")
def test_a_decision_against_the_facts_is_refused(operator: LocalOperator) -> None:
    """Twilio lists the message, the sid is another recipient's, the answer is no, or too late."""
    conversation, other = operator.conversation("unknown"), operator.conversation("unknown")
    sid, others = (operator.send_without_record(each) for each in (conversation, other))
    assert sid in operator.refused(*resolve(conversation, "--not-sent", "--yes"))
    sent = resolve(conversation, "--sent", sid)
    assert "another recipient" in operator.refused(
        *resolve(conversation, "--sent", others, "--yes")
    )
    assert "nothing was changed" in operator.refused(*sent, answer="n\n")
    assert (Status.SEND_UNKNOWN, []) == (
        operator.status(conversation),
        operator.actions(conversation),
    )

    operator.succeed(*sent, "--yes")
    output = operator.refused(*sent, "--yes")
    assert "nothing to decide: the record is initial_message_sent" in output
    assert 1 == len(operator.actions(conversation))
