"""Texts in production: typographic characters in SMS, and texts that Twilio changes."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.channels.sms import GSM_7, GSM_7_ESCAPED, segments, transliterate
from lambda_src.core.models import OutgoingMessage
from lambda_src.services.twilio.lookup import TRIAL_PREFIX, matches

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


@given(st.text(st.sampled_from("aé “”’–…½\u200b\u00a0\u0301‹⁄ﬁ１")))
def test_replaced_text_is_final(text: str) -> None:
    """Sent text is not changed again: it is in GSM-7, or in composed form."""
    sent = transliterate(text)
    assert sent == transliterate(sent)
    assert set(sent) <= GSM_7 | GSM_7_ESCAPED or unicodedata.is_normalized("NFC", sent)


BODY = (
    "Hello Amara! Our offer: https://harbour.example/offers/2026?id=17 and https://a.example/b. OK?"
)
SHORT = "Hello Amara! Our offer: https://twil.io/3kLm9Q and https://go.harbour.example/x7 OK?"


def message(body: str, *values: str) -> OutgoingMessage:
    """Return a message of free text, or with a template that has these values."""
    variables = {str(number): value for number, value in enumerate(values, 1)}
    return OutgoingMessage(
        "+15550100001", "+15550100002", body="" if values else body, variables=variables
    )


@pytest.mark.parametrize("listed", [BODY, SHORT, TRIAL_PREFIX + BODY, TRIAL_PREFIX + SHORT])
def test_a_text_that_twilio_changed_matches(listed: str) -> None:
    """A trial account's prefix precedes it, and links are shortened."""
    assert matches(listed, message(BODY))
    assert matches(listed, message("", "Amara", BODY.removeprefix("Hello Amara! ")))


@pytest.mark.parametrize(
    "listed",
    [
        BODY.replace("Amara", "Ben"),
        BODY.replace("2026?id=17", "2027?id=18"),
        SHORT.replace(" and ", " or "),
        SHORT.replace("https://twil.io/3kLm9Q", "https://other.example/offers/2027?id=18"),
        SHORT.replace("https://twil.io/3kLm9Q ", ""),
        TRIAL_PREFIX,
    ],
)
def test_another_text_with_links_does_not_match(listed: str) -> None:
    """Only a short code stands for a link, and every other word must be the same."""
    assert not matches(listed, message(BODY))
