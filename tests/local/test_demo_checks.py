"""The demonstration's claims and what follows from them."""

from collections.abc import Callable
from typing import Any

import pytest

from local.demo.checks import Checks
from local.demo.failure_story import records_a_sid
from local.demo.run import conclude
from tests.local.shown import Shown


@pytest.fixture
def screen() -> Shown:
    """Return a screen whose output can be read."""
    return Shown()


def test_all_claims_holding_is_success(screen: Shown) -> None:
    """When every claim holds the exit code is 0."""
    checks = Checks(screen)
    checks.that("water is wet", lambda: True)
    assert 0 == conclude(screen, checks)
    assert "✓ water is wet" in screen.text()


NOTHING: Any = None
NO_MESSAGES: list[str] = []
NO_RECORD: dict[str, str] = {}


@pytest.mark.parametrize(
    "claim",
    [
        lambda: False,
        lambda: NO_MESSAGES,
        lambda: NO_MESSAGES[0],
        lambda: NO_RECORD["message_sid"],
        lambda: NOTHING.sid,
        lambda: NOTHING["sid"],
    ],
)
def test_a_claim_that_does_not_hold_is_named(screen: Shown, claim: Callable[[], object]) -> None:
    """A claim that is false, or about something missing, is named and makes the exit code 1."""
    checks = Checks(screen)
    checks.that("water is wet", lambda: True)
    checks.that("stones swim", claim)
    assert 1 == conclude(screen, checks)
    assert ["stones swim"] == checks.failed
    assert "✗ stones swim" in screen.text()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({":sid": {"S": "SM" + "0a" * 16}}, True),
        ({":sid": {"S": "MM" + "0a" * 16}}, True),
        ({":status": {"S": "sending"}, ":n": {"N": "1"}}, False),
        ({":text": {"S": "about SM" + "0a" * 16}}, False),
    ],
)
def test_the_final_update_is_told_by_its_sid(values: dict[str, Any], expected: bool) -> None:
    """An update counts as the final one when it writes a message's sid."""
    assert expected is records_a_sid({"ExpressionAttributeValues": values})
    assert not records_a_sid({})
