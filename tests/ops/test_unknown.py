"""`unknown`: sends of unknown outcome, and an operator's decision about each."""

import pytest

from lambda_src.services.dynamodb.updates import Update
from ops.conversations import ConversationRepository
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import context

RESOLVE = ("unknown", "resolve", "lost", "--yes", "--reason", "looked at the console")


@pytest.fixture
def lost(operator: OperatorChannel) -> OperatorChannel:
    """Return a channel where the send of the conversation `lost` ended unknown hours ago."""
    operator.dead_letter(operator.lose_send())
    operator.age_send("lost")
    return operator


def test_without_a_decision_nothing_changes(lost: OperatorChannel) -> None:
    """The facts and the possible decisions are shown; a no and a dry run change nothing either."""
    before = lost.channel.record("lost")
    result = lost.run("unknown", "resolve", "lost")
    assert "it was not sent (from now on)" in result.stdout
    not_sent = ("unknown", "resolve", "lost", "--not-sent")
    assert "nothing was changed" in lost.refused(*not_sent, answer="n\n")
    assert not lost.succeed(*not_sent, "--dry-run")["changed"]
    assert before == lost.channel.record("lost")


def test_a_release_waits_for_twilios_list(operator: OperatorChannel) -> None:
    """Within an hour of the send, a missing list entry proves nothing."""
    operator.lose_send()
    assert "too early to decide" in operator.refused(*RESOLVE, "--not-sent")


def test_only_a_sid_of_this_conversation_is_recorded(lost: OperatorChannel) -> None:
    """Malformed, unknown and other conversations' sids are refused, and so are two decisions."""
    lost.channel.deliver(context(conversation_id="other"))
    other = lost.channel.record("other")["message_sid"]
    for sid, message in (
        ("SM1", "expected SM or MM and 32 hexadecimal digits"),
        ("SM" + "0" * 32, "no message with that sid"),
        (other, "belongs to another conversation"),
    ):
        assert message in lost.refused(*RESOLVE, "--sent", sid)
    assert "not both" in lost.refused(*RESOLVE, "--sent", other, "--not-sent")


def test_a_changed_record_is_left_alone(
    lost: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the record changes after it was shown, the decision is refused."""
    apply = ConversationRepository.apply

    def race(self: ConversationRepository, update: Update, entry: dict[str, str]) -> None:
        lost.channel.set_fields("lost", conversation_status="initial_message_sent")
        apply(self, update, entry)

    monkeypatch.setattr(ConversationRepository, "apply", race)
    assert "look again" in lost.refused(*RESOLVE, "--not-sent")
    assert "operator_actions" not in lost.channel.record("lost")


def test_a_record_that_lacks_what_was_to_be_sent_is_reported(lost: OperatorChannel) -> None:
    """Neither decision is possible without the stored answer."""
    lost.channel.set_fields("lost", ai_answer="gone")
    assert "lacks the message's text" in lost.refused(*RESOLVE, "--not-sent")
