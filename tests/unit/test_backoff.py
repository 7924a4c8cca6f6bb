"""When a failed message is shown again."""

import math

from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.backoff import LONG_FACTOR, seconds_until_visible
from lambda_src.core.errors import (
    AccountRefused,
    AlreadyEnded,
    PermanentFailure,
    RateLimited,
    Step,
    TransientFailure,
)
from lambda_src.core.send_errors import SendDeclaredUnknown, SendOutcomePending
from lambda_src.core.timing import LONGEST_BACKOFF, LONGEST_REQUESTED

LONGEST_ALLOWED = 43_200
"""Seconds of invisibility that SQS takes at most."""

receives = st.integers(1, 10_000)
bases = st.floats(1, 600)
waits = st.floats(0, 1e9)
passing = TransientFailure("openai_500", Step.AI)
limited = RateLimited("openai_429", Step.AI)


@given(receives, bases, st.sampled_from([passing, limited]))
def test_a_backoff_is_bounded(count: int, base: float, error: TransientFailure) -> None:
    """Whole seconds between half of the base and the longest, however often it was received."""
    seconds = seconds_until_visible(error, count, base)
    assert isinstance(seconds, int)
    assert round(base / 2) <= seconds <= LONGEST_BACKOFF


@given(st.integers(1, 6), bases)
def test_a_backoff_doubles_with_each_receive(count: int, base: float) -> None:
    """Between half and the whole of the base times two to the receives before."""
    full = min(base * 2 ** (count - 1), LONGEST_BACKOFF)
    assert round(full / 2) <= seconds_until_visible(passing, count, base) <= math.ceil(full)


@given(receives, bases)
def test_a_rate_limit_waits_longer(count: int, base: float) -> None:
    """Never less than half of the long delay, up to the longest."""
    least = min(LONG_FACTOR * base, LONGEST_BACKOFF) / 2
    assert seconds_until_visible(limited, count, base) >= round(least)


@given(waits, receives, bases)
def test_an_error_that_knows_its_time_gets_it(wait: float, count: int, base: float) -> None:
    """Not earlier than said, a second later at most, and within what is granted to anybody."""
    known = SendOutcomePending("not_listed_yet", Step.SETTLE, again_in=wait)
    granted = min(wait, LONGEST_REQUESTED)
    seconds = seconds_until_visible(known, count, base)
    assert granted <= seconds <= granted + 2
    assert seconds <= LONGEST_ALLOWED


@given(waits, receives, bases)
def test_a_vendors_wish_is_the_least(wait: float, count: int, base: float) -> None:
    """Never sooner than asked, and never sooner than the backoff: small wishes burn no receives."""
    asked = RateLimited("openai_429", Step.AI, retry_after=wait)
    least = max(min(wait, LONGEST_REQUESTED), min(LONG_FACTOR * base, LONGEST_BACKOFF) / 2)
    seconds = seconds_until_visible(asked, count, base)
    assert math.floor(least) <= seconds <= LONGEST_ALLOWED


@given(receives, bases)
def test_what_ended_is_shown_at_once(count: int, base: float) -> None:
    """Every further receive only brings it nearer to the dead letters."""
    for ended in (
        PermanentFailure("twilio_21211", Step.SEND),
        AlreadyEnded("already_failed", Step.CLAIM),
        SendDeclaredUnknown("not_found_at_vendor", Step.SETTLE),
    ):
        assert 0 == seconds_until_visible(ended, count, base)


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    """Half of a delay is chance, and a second of a delay that was asked for."""
    known = SendOutcomePending("not_listed_yet", Step.SETTLE, again_in=42.5)
    assert len({seconds_until_visible(passing, 7, 10) for _ in range(50)}) > 10
    assert {43, 44} == {seconds_until_visible(known, 1, 10) for _ in range(50)}


def test_a_refused_account_is_tried_late() -> None:
    """A person needs time to act."""
    refused = AccountRefused("twilio_20005", Step.SEND)
    assert seconds_until_visible(refused, 1, 10) >= LONG_FACTOR * 10 / 2
