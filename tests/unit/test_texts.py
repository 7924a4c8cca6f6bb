"""Texts: what an SMS costs and how it is transliterated, and which listed message is ours."""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.channels.sms import (
    GSM_7,
    GSM_7_ESCAPED,
    MAX_SEGMENTS,
    PARTS,
    addresses,
    segments,
    transliterate,
)
from lambda_src.core.drafts.texts import validate_output
from lambda_src.core.errors import PermanentFailure, RejectedContext
from lambda_src.core.models import Answer, OutgoingMessage
from lambda_src.services.twilio.lookup import MIN_DISTINCTIVE_CHARACTERS, TRIAL_PREFIX, matches
from lambda_src.utils.context_processor import ContextParser
from local.fakes.twilio.messages import segment_count
from tests.support.contexts import body, changed
from tests.support.fakes import ANSWER

# --- SMS

NUMBER, RECIPIENT, SERVICE = "+15550100001", "+447700900123", f"MG{'a' * 32}"
SENDER_FIELD = "company_data_payload.channel_config.whatsapp.company_whatsapp_number"
parse = ContextParser("whatsapp", lambda _: True, PARTS.addressing)


def _text(value: str) -> Answer:
    return replace(ANSWER, text=value, variables={})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("€" * 80, 1),
        ("€" * 81, 2), ("ж" * 70, 1), ("ж" * 71, 2), ("ж" * 134, 2), ("ж" * 135, 3),
        ("🎂" * 35, 1), ("🎂" * 36, 2), ("é\n^" * 20, 1), ("ç" + "a" * 70, 2),
        ("a" * 152 + "€" * 77, 3),  # a character that takes two places is not split
    ],
)  # fmt: skip
def test_segments_are_counted_as_they_are_billed(text: str, expected: int) -> None:
    """160 and 153 septets of GSM-7, 70 and 67 units of UCS-2; some characters take two."""
    assert expected == segments(text)


@given(st.text(alphabet="aé€^ж🎂\n", max_size=400))
def test_segments_are_never_fewer_than_the_units_need(text: str) -> None:
    """A count that splits characters finds at most as many."""
    assert max(1, segment_count(text)) <= segments(text) <= 2 * max(1, segment_count(text))


@pytest.mark.parametrize(
    ("letter", "maximum"),
    [("a", 153 * MAX_SEGMENTS), ("–", 153 * MAX_SEGMENTS), ("ж", 67 * MAX_SEGMENTS)],
)
def test_a_messages_price_is_limited(letter: str, maximum: int) -> None:
    """One character too many is refused, without quoting the text; dashes cost no more."""
    assert validate_output(_text(letter * maximum), None, PARTS.text_rules)
    with pytest.raises(PermanentFailure) as invalid:
        validate_output(_text(letter * (maximum + 1)), None, PARTS.text_rules)
    assert f"the text has 5 segments, {MAX_SEGMENTS} are allowed" == invalid.value.detail


@pytest.mark.parametrize(
    ("sender", "parameter"), [(NUMBER, "from_"), (SERVICE, "messaging_service_sid")]
)
def test_a_number_or_a_messaging_service_sends(sender: str, parameter: str) -> None:
    """`company_sms_number` is one or the other, each with its own parameter."""
    assert sender == parse(body(changed(SENDER_FIELD, sender))).sender
    assert {"to": RECIPIENT, parameter: sender} == addresses(OutgoingMessage(sender, RECIPIENT))


@pytest.mark.parametrize("sender", ["MG1", f"SM{'a' * 32}", "whatsapp:+15550100001", "Harbour"])
def test_other_senders_are_rejected(sender: str) -> None:
    """The problem says what is expected."""
    with pytest.raises(RejectedContext) as rejected:
        parse(body(changed(SENDER_FIELD, sender)))
    (problem,) = rejected.value.problems
    assert ("sms_sender_malformed", SENDER_FIELD) == (problem.code, problem.field)
    assert "or a messaging service's sid" in problem.expected


LONG = "When would be a good time to talk about your move to the harbour? " * 2
"""More characters than fit into one segment of UCS-2, fewer than fit into one of GSM-7."""


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("here.\u200b When", "here. When"), ("here.\u2060 When", "here. When"),
        ("here.\ufeff When", "here. When"), ("co\u00adoperate", "cooperate"),
        ("left\u200e to right\u200f", "left to right"), ("Cafe\u0301", "Café"),
        ("ten\u00a0to\u2009six\u202f\u2007\u3000o'clock", "ten to six   o'clock"),
        ("“Hi” „there‟ «you» 〝all〞", '"Hi" "there" "you" "all"'),
        ("it’s ‘now’ ʼ ´ ` ′", "it's 'now' ' ' ' '"),
        ("9–17 — or―later − 1", "9-17 - or-later - 1"),
        ("and so on…", "and so on..."), ("½ price, ¾ left, 5⁄6", "1/2 price, 3/4 left, 5/6"),
        ("ﬁne №５ ＃１！", "fine No5 #1!"), ("• one ⁃ two", "- one - two"), ("‹a› ❨b❩", "<a> (b)"),
        ("a∣b ∗ ˜ ˆ", "a|b * ~ ^"), ("€5 [x] {y} ~z^", "€5 [x] {y} ~z^"),
    ],
)  # fmt: skip
def test_a_typographic_character_costs_no_segment(written: str, sent: str) -> None:
    """It is replaced as Twilio's smart encoding does, so that the text is sent in GSM-7."""
    assert sent == transliterate(written)
    assert 1 == segments(transliterate(LONG + written)[:160])


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("👩\u200d👧 hi", "👩\u200d👧 hi"), ("नमस्\u200dते", "नमस्\u200dते"),
        ("שלום\u200f, “ok”", "שלום\u200f, “ok”"), ("日本語。\u200b", "日本語。"),
        ("façade…", "façade…"),
    ],
)  # fmt: skip
def test_a_text_of_another_script_keeps_its_characters(written: str, sent: str) -> None:
    """It is sent in UCS-2 anyway, where joiners and marks have a meaning."""
    assert sent == transliterate(written)


@given(st.text(max_size=200) | st.text(st.sampled_from("aé “”’–…½\u200b\u00a0\u0301‹⁄ﬁ１")))
def test_replaced_text_is_final(text: str) -> None:
    """Sent text is not changed again: it is in GSM-7, or in composed form."""
    sent = transliterate(text)
    assert sent == transliterate(sent)
    assert set(sent) <= GSM_7 | GSM_7_ESCAPED or unicodedata.is_normalized("NFC", sent)


# --- matching listed messages

NEWS = "Your application has arrived."
CHINESE = "我们已经收到了您的申请请问什么时候方便给您打电话"
THAI = "เราได้รับใบสมัครของคุณแล้วคุณสะดวกคุยเมื่อไหร่"
JAPANESE = "ご応募を受け付けました、いつお電話してもよろしいですか"
BODY = (
    "Hello Amara! Our offer: https://harbour.example/offers/2026?id=17 and https://a.example/b. OK?"
)
SHORT = "Hello Amara! Our offer: https://twil.io/3kLm9Q and https://go.harbour.example/x7 OK?"
"""The same text with shortened links, as Twilio lists it."""
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
SPACES = st.sampled_from([" ", "  ", "\n", "\t", "\u00a0"])


def _by_template(*values: str) -> OutgoingMessage:
    variables = {str(number): value for number, value in enumerate(values, start=1)}
    return OutgoingMessage(NUMBER, RECIPIENT, variables=variables)


def _as_text(body: str) -> OutgoingMessage:
    return OutgoingMessage(NUMBER, RECIPIENT, body=body)


@st.composite
def values(draw: st.DrawFn) -> list[str]:
    """Distinctive values, of which no two share a word."""
    groups = draw(st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4))
    # A number and a long word make each value unlike the others and unlike any template.
    return [
        " ".join([*words, f"value{number}xxxxxxxxxxxxxxx"]) for number, words in enumerate(groups)
    ]


@pytest.mark.parametrize(
    ("listed", "variables"),
    [
        ("Hello Amara! Your application has arrived. Reply STOP", ("Amara", NEWS)),
        ("Your application has arrived. Hello, Amara", ("Amara", NEWS)),
        ("(Your application has arrived.) - Amara", ("Amara", NEWS)),
        ("Amara, Amara: Your application has arrived.", ("Amara", "Amara", NEWS)),
        ("Hello Also Al! Your application has arrived.", ("Al", NEWS)),
        ("R\u0065\u0301ne\u0301: Your application has arrived.", ("R\u00e9n\u00e9", NEWS)),
        ("Amara:\n Your  application\thas\u00a0arrived.", ("Amara", NEWS)),
        ("Your application has arrived.Reply STOP", (NEWS,)),
        ("您好王小明我们已经收到了您的申请请问什么时候方便给您打电话回复STOP", ("王小明", CHINESE)),
        ("สวัสดีคุณสมชายเราได้รับใบสมัครของคุณแล้วคุณสะดวกคุยเมื่อไหร่ตอบSTOP", ("สมชาย", THAI)),
        (f"アマラさんこんにちは{JAPANESE}STOP", (JAPANESE,)),
        ("Hello Amara我们已经收到了您的申请请问什么时候方便给您打电话STOP", ("Amara", CHINESE)),
        (SHORT, ("Amara", BODY.removeprefix("Hello Amara! "))),
        (TRIAL_PREFIX + SHORT, ("Amara", BODY.removeprefix("Hello Amara! "))),
        (BODY, ("Amara", BODY.removeprefix("Hello Amara! "))),
        (TRIAL_PREFIX + BODY, ("Amara", BODY.removeprefix("Hello Amara! "))),
        (f"Hello Amara! {'x' * (MIN_DISTINCTIVE_CHARACTERS - 5)}",
         ("Amara", "x" * (MIN_DISTINCTIVE_CHARACTERS - 5))),
    ],
)  # fmt: skip
def test_a_text_with_every_value_matches(listed: str, variables: tuple[str, ...]) -> None:
    """In any order and Unicode composition, with any space, between any punctuation."""
    assert matches(listed, _by_template(*variables))


@pytest.mark.parametrize(
    ("listed", "variables"),
    [
        ("", ("Amara", NEWS)),
        ("Hello Amara! Your application was refused.", ("Amara", NEWS)),
        ("Hello Amara! your application has arrived.", ("Amara", NEWS)),
        ("Hello Also! Your application has arrived.", ("Al", NEWS)),
        ("Hello Pal! Your application has arrived.", ("Al", NEWS)),
        ("Hello al_1! Your application has arrived.", ("al", NEWS)),
        ("Hello कमी! Your application has arrived.", ("कम", NEWS)),
        ("Hello Amara! Your application has arrived.", ("Amara", "Amara", NEWS)),
        ("Hello you! Your application has arrived.", ("application has", NEWS)),
        ("您好李小明我们已经收到了您的申请请问什么时候方便给您打电话", ("王小明", CHINESE)),
        ("您好王小明我们没有收到您的申请请问什么时候方便给您打电话", ("王小明", CHINESE)),
        ("ขอบคุณเราได้รับใบสมัครของคุณแล้วคุณสะดวกคุยเมื่อไหร่่ครับ", (THAI,)),
        # A first name alone is in any message to that person.
        (f"Hello Amara! {'x' * (MIN_DISTINCTIVE_CHARACTERS - 6)}",
         ("Amara", "x" * (MIN_DISTINCTIVE_CHARACTERS - 6))),
    ],
)  # fmt: skip
def test_a_text_without_a_value_does_not_match(listed: str, variables: tuple[str, ...]) -> None:
    """A part of a longer word is no value, values do not overlap, and short ones are not enough."""
    assert not matches(listed, _by_template(*variables))


def test_short_values_without_word_boundaries_match_nothing() -> None:
    """In a script without spaces, many short values are in any long text."""
    values = ("我们", "您的", "申请", "电话", "时候", "什么", "方便", "收到", "已经", "请问", "打")
    assert sum(map(len, values)) >= MIN_DISTINCTIVE_CHARACTERS
    assert not matches(CHINESE, _by_template(*values))


@pytest.mark.parametrize(
    ("listed", "body", "expected"),
    [
        (NEWS, NEWS, True), (" Your  application\nhas\u00a0arrived.\r\n", NEWS, True),
        ("Re\u0301ne\u0301", "R\u00e9n\u00e9", True), (f"{NEWS} Again.", NEWS, False),
        (NEWS.upper(), NEWS, False), ("", NEWS, False), ("", "", False),
        (BODY, BODY, True), (SHORT, BODY, True), (TRIAL_PREFIX + BODY, BODY, True),
        (TRIAL_PREFIX + SHORT, BODY, True), (TRIAL_PREFIX, BODY, False),
        (BODY.replace("Amara", "Ben"), BODY, False), (SHORT.replace(" and ", " or "), BODY, False),
        (BODY.replace("2026?id=17", "2027?id=18"), BODY, False),
        (SHORT.replace("twil.io/3kLm9Q", "other.example/offers/2027?id=18"), BODY, False),
        (SHORT.replace("https://twil.io/3kLm9Q ", ""), BODY, False),
    ],
)  # fmt: skip
def test_free_text_matches_an_equal_text(listed: str, body: str, expected: bool) -> None:
    """Space, Unicode composition, a trial account's prefix and shortened links may differ."""
    assert expected is matches(listed, _as_text(body))


@given(values(), SPACES, st.sampled_from(["NFC", "NFD"]))
def test_space_and_composition_do_not_matter(parts: list[str], space: str, form: str) -> None:
    """Both may change on the way through the channel."""
    body = f"Hello {' - '.join(parts)} - bye"
    changed = unicodedata.normalize(form, body).replace(" ", space)  # type: ignore[arg-type]  # one of the forms
    assert matches(changed, _by_template(*parts))
    assert matches(changed, _as_text(body))


@given(values(), st.data())
def test_a_message_with_a_value_less_does_not_match(parts: list[str], data: st.DataObject) -> None:
    """Every value must be in the text."""
    missing = data.draw(st.integers(0, len(parts) - 1))
    others = [value for number, value in enumerate(parts) if number != missing]
    assert not matches(f"Hello, {'; '.join(others)}! Reply STOP.", _by_template(*parts))


@given(st.text(), st.dictionaries(st.text(), st.text(max_size=3), max_size=2))
def test_few_characters_never_match(listed: str, variables: Mapping[str, str]) -> None:
    """If the values have fewer characters than a distinctive message, nothing matches."""
    assert not matches(listed, OutgoingMessage(NUMBER, RECIPIENT, variables=variables))
