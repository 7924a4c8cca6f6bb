"""The check of extreme bodies can fail: each problem is found."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.inputs.generators import MARK, Edit, Expectation, ExtremeBody, JsonText, edited
from tests.faults.inputs.run import (
    EXTREME,
    ORDINARY,
    Aftermath,
    differences,
    find_problems,
)
from tests.faults.rules import Rule
from tests.support.channel import RECIPIENT

VALID = edited(EXTREME, [Edit("odd", JsonText("1.50"))])
REFUSED = replace(VALID, expectation=Expectation.REFUSED)
KEY = {"primary_channel": RECIPIENT, "conversation_id": EXTREME}
SENT = {"conversation_status": "initial_message_sent", "message_sid": "SM1", **KEY}
FAILED = {"conversation_status": "failed", **KEY}
LINE = {"level": "ERROR", "event": "context_invalid", "failure_code": "context_invalid"}
ORDINARY_SENT = {"conversation_status": "initial_message_sent", "message_sid": "SM2"}


def after(
    record: dict[str, Any] | None = None, *, sids: int = 0, failed: bool = True, **changes: Any
) -> Aftermath:
    """Return what is observed after a batch in which the ordinary message was sent."""
    records = {ORDINARY: ORDINARY_SENT} | ({EXTREME: record} if record else {})
    values: dict[str, Any] = {
        "failed": (VALID.text,) if failed else (),
        "records": records,
        "sids": {"ordinary": ["SM2"], "extreme": ["SM1"] * sids},
        "lines": [LINE] if failed else [],
    }
    return Aftermath(**values | changes)


@pytest.mark.parametrize(
    ("body", "aftermath", "expected"),
    [
        (REFUSED, after(FAILED, failed=False), Rule.SENT_IN_THE_END),
        (VALID, after(FAILED), Rule.SENT_IN_THE_END),
        (REFUSED, after(FAILED, sids=2), Rule.AT_MOST_ONCE),
        (REFUSED, after(None), Rule.RECORD_IS_TRUE),
        (REFUSED, after({**FAILED, "conversation_status": "processing"}), Rule.RECORD_IS_TRUE),
        (REFUSED, after({**FAILED, "primary_channel": "+447700900999"}), Rule.RECORD_IS_TRUE),
        (VALID, after(SENT, sids=1, failed=False), Rule.RECORD_IS_TRUE),
        (REFUSED, after(FAILED, lines=[]), Rule.RECORD_IS_TRUE),
        (REFUSED, after(FAILED, lines=[{**LINE, "level": "INFO"}]), Rule.RECORD_IS_TRUE),
        (
            REFUSED,
            after(FAILED, lines=[{**LINE, "event": "unexpected_error"}]),
            Rule.RECORD_IS_TRUE,
        ),
        (REFUSED, after(FAILED, lines=[{**LINE, "message": f"of {MARK}"}]), Rule.RECORD_IS_TRUE),
        (REFUSED, after(FAILED, lines=[{**LINE, "message": "long" * 5_000}]), Rule.RECORD_IS_TRUE),
        (REFUSED, after(FAILED, records={EXTREME: FAILED}), Rule.RECORD_IS_TRUE),
        (REFUSED, replace(after(FAILED), sids={}), Rule.SENT_IN_THE_END),
    ],
)
def test_problem_is_found(body: ExtremeBody, aftermath: Aftermath, expected: Rule) -> None:
    """Each as the rule that it breaks."""
    assert expected in {rule for rule, _ in find_problems(body, aftermath)}


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ("1.51", Decimal("1.5")),
        ("1", True),
        ('"1"', Decimal(1)),
        ('{"a":[1,{}]}', {"a": [Decimal(1)]}),
        ('{"a":null}', {}),
    ],
)
def test_another_value_in_the_record_is_found(said: str, stored: object) -> None:
    """Numbers differ by their value, texts by their characters, and parts by their content."""
    body = f'{{"company_data_payload": {{"rate_limits": {said}}}}}'
    assert ["rate_limits"] == list(differences(body, {"rate_limits": stored}))
