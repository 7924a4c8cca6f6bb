"""Which of the listed messages is taken for the one whose answer was lost."""

import json
from collections.abc import Callable

import pytest
from twilio.rest import Client

from lambda_src.core.timing import SKEW_SECONDS
from local.stand_ins.faults import Fault
from local.stand_ins.twilio import TwilioSettings
from tests.local.stand_ins.twilio_client import twilio_client
from tests.services.channel import ACCOUNT, RECIPIENT, TOKEN, TWILIO_SECRET, context, openai_config
from tests.services.event_source import EventSource
from tests.services.settling.sends import (
    ANSWER,
    CREATE,
    OTHER_SENDER,
    SENDER,
    looks,
    lose_the_send,
    send,
    sent_sid,
)

OTHERS: dict[str, Callable[[Client], object]] = {
    "another text": lambda client: send(client, {**ANSWER, "2": "Another text to Amara."}),
    "another name": lambda client: send(client, {**ANSWER, "1": "Amaranth"}),
    "another sender": lambda client: send(client, ANSWER, OTHER_SENDER),
    "free text": lambda client: client.messages.create(
        to=f"whatsapp:{RECIPIENT}", from_=SENDER, body="Hello Amara! Your application is late."
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("accepted", [True, False], ids=["ours is listed", "ours is not"])
def test_other_messages_to_the_recipient_are_not_taken(
    source: EventSource, others: Client, kind: str, accepted: bool
) -> None:
    """Neither another text nor another sender is taken for it, whether or not it is there."""
    lose_the_send(source, accepted=accepted)
    ours = [message["sid"] for message in source.channel.twilio.messages()]
    OTHERS[kind](others)

    source.run()

    if accepted:
        assert ours == [sent_sid(source.channel)]
    else:
        assert "send_unknown" == source.channel.record()["conversation_status"]


def test_the_same_text_of_before_the_intent_is_not_taken(
    source: EventSource, others: Client
) -> None:
    """What stood in the list before the send was announced cannot be what was announced."""
    send(others, ANSWER)
    source.clock.advance(SKEW_SECONDS + 5)
    lose_the_send(source, accepted=False)

    source.run()

    assert "send_unknown" == source.channel.record()["conversation_status"]


@pytest.mark.parametrize("accepted", [True, False], ids=["ours is listed", "ours is not"])
def test_the_same_text_of_another_conversation_is_not_taken(
    source: EventSource, accepted: bool
) -> None:
    """A message that another conversation recorded is that one's; ours is found beside it."""
    lose_the_send(source, accepted=accepted)
    ours = [message["sid"] for message in source.channel.twilio.messages()]
    source.put(context(conversation_id="another"))

    source.run()

    assert "initial_message_sent" == source.channel.record("another")["conversation_status"]
    if accepted:
        assert ours == [sent_sid(source.channel)]
    else:
        assert "send_unknown" == source.channel.record()["conversation_status"]


def test_two_that_wait_for_one_message_of_their_text_call_a_person(source: EventSource) -> None:
    """One of two equal messages was accepted, and nobody can tell which: neither is guessed."""
    lose_the_send(source, accepted=True)
    source.channel.twilio.fail_next(Fault.reset(), match=CREATE)
    source.put(context(conversation_id="another"))
    source.poll()

    source.run()

    states = {
        source.channel.record(name)["conversation_status"] for name in ("conversation-1", "another")
    }
    assert {"send_unknown"} == states
    assert 1 == len(source.channel.phone())


@pytest.mark.parametrize("code", [63016, 63024])
def test_a_message_that_failed_later_is_found_all_the_same(source: EventSource, code: int) -> None:
    """It was accepted, and has a sid: what became of it is for the status callback to tell."""
    twilio = source.channel.twilio
    twilio.fail_next(Fault.reset(effect_applied=True), match=CREATE)
    client = twilio_client(twilio.base_url, ACCOUNT, TOKEN)
    source.put(context())
    source.clock.advance(1)
    source.poll()
    twilio.reset()  # Twilio keeps it as one that was not delivered
    twilio.fail_next(Fault.undelivered(code))
    sid = send(client, ANSWER)

    source.run()

    assert "undelivered" == str(client.messages(sid).fetch().status)
    assert sid == sent_sid(source.channel)


@pytest.mark.parametrize("position", [0, 30, 59], ids=["newest", "in the middle", "oldest"])
def test_a_message_on_any_page_of_the_list_is_found(
    source: EventSource, others: Client, position: int
) -> None:
    """Twilio may show fewer messages a page than are asked for: the list is read to its end."""
    source.channel.twilio.settings = TwilioSettings(largest_page=20)
    for number in range(59 - position):
        send(others, {**ANSWER, "2": f"Another message, number {number}."})
    lose_the_send(source, accepted=True)
    (ours,) = [m["sid"] for m in source.channel.twilio.messages() if ANSWER["2"] in m["body"]]
    for number in range(position):
        source.clock.advance(0.1)
        send(others, {**ANSWER, "2": f"A later message, number {number}."})

    source.run()

    assert ours == sent_sid(source.channel)
    assert 3 == looks(source.channel)


def test_free_text_is_found_by_itself(source: EventSource) -> None:
    """Without a template the listed text is the very one that was written."""
    credentials = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
    source.channel.set_secret(TWILIO_SECRET, json.dumps(credentials))
    body = context(lambda d: openai_config(d).update(assistant_id_template_sender="free_text"))

    lose_the_send(source, accepted=True, body=body)
    source.run()

    assert source.channel.twilio.messages()[0]["sid"] == sent_sid(source.channel)


@pytest.mark.parametrize(
    "answer",
    [
        {"1": "王小明", "2": "我们已经收到了您的申请，请问您什么时候方便接听我们的电话？"},
        {"1": "คุณสมชาย", "2": "เราได้รับใบสมัครของคุณแล้ว คุณสะดวกคุยเมื่อไหร่"},
        {"1": "נועה", "2": "קיבלנו את המועמדות שלך, מתי נוח לך לדבר?"},
        {"1": "أمينة", "2": "وصل طلبك إلينا، متى يناسبك أن نتصل بك؟"},
        {"1": "👩‍🚀 René", "2": "Dein Antrag ist da – wann dürfen wir anrufen? 🎂"},
    ],
    ids=["Chinese", "Thai", "Hebrew", "Arabic", "emoji"],
)
def test_a_template_is_matched_in_any_script(source: EventSource, answer: dict[str, str]) -> None:
    """Twilio lists the rendered text, our side knows the values: they are told in every script."""
    source.channel.openai.clear_faults()
    source.channel.openai.fail_next(Fault.misfit(json.dumps(answer)))
    lose_the_send(source, accepted=True)

    source.run()

    assert source.channel.twilio.messages()[0]["sid"] == sent_sid(source.channel)
