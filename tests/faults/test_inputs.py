"""The check of extreme bodies can fail: each problem is found by its name."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.inputs.generators import MARK, Edit, Expectation, ExtremeBody, JsonText, edited
from tests.faults.inputs.run import (
    EXTREME,
    ORDINARY,
    Aftermath,
    Wrong,
    differences,
    find_problems,
)
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


def found(body: ExtremeBody, aftermath: Aftermath) -> set[Wrong]:
    return {wrong for wrong, _ in find_problems(body, aftermath)}


def test_clear_failure_is_no_problem() -> None:
    """A refused body is reported, recorded and logged."""
    assert set() == found(REFUSED, after(FAILED))


@pytest.mark.parametrize(
    ("body", "aftermath", "expected"),
    [
        (REFUSED, after(FAILED, failed=False), Wrong.LOST),
        (VALID, after(FAILED), Wrong.LOST),
        (REFUSED, after(FAILED, sids=2), Wrong.DUPLICATED),
        (REFUSED, after(None), Wrong.RECORD),
        (REFUSED, after({**FAILED, "conversation_status": "processing"}), Wrong.RECORD),
        (REFUSED, after({**FAILED, "primary_channel": "+447700900999"}), Wrong.RECORD),
        (VALID, after(SENT, sids=1, failed=False), Wrong.RECORD),
        (REFUSED, after(FAILED, lines=[]), Wrong.SILENT),
        (REFUSED, after(FAILED, lines=[{**LINE, "level": "INFO"}]), Wrong.SILENT),
        (REFUSED, after(FAILED, lines=[{**LINE, "event": "unexpected_error"}]), Wrong.SILENT),
        (REFUSED, after(FAILED, lines=[{**LINE, "message": f"of {MARK}"}]), Wrong.LOGGED),
        (REFUSED, after(FAILED, lines=[{**LINE, "message": "long" * 5_000}]), Wrong.LOGGED),
        (REFUSED, after(FAILED, records={EXTREME: FAILED}), Wrong.RECORD),
        (REFUSED, replace(after(FAILED), sids={}), Wrong.LOST),
    ],
)
def test_problem_is_found(body: ExtremeBody, aftermath: Aftermath, expected: Wrong) -> None:
    """Each by its name."""
    assert expected in found(body, aftermath)


@pytest.mark.parametrize(
    ("said", "stored", "is_same"),
    [
        ("1.50", Decimal("1.5"), True),
        ("1e400", "1E+400", True),
        ("1.51", Decimal("1.5"), False),
        ("1", True, False),
        ('"1"', Decimal(1), False),
        ('{"a":[1,{}]}', {"a": [Decimal(1), {}]}, True),
        ('{"a":[1,{}]}', '{"a": [1, {}]}', True),
        ('{"a":[1,{}]}', {"a": [Decimal(1)]}, False),
        ('{"a":null}', {}, False),
    ],
)
def test_record_is_compared_value_by_value(said: str, stored: object, is_same: bool) -> None:
    """Numbers by their value, texts by their characters, parts stored as text by their content."""
    body = f'{{"company_data_payload": {{"rate_limits": {said}}}}}'
    assert ([] if is_same else ["rate_limits"]) == list(differences(body, {"rate_limits": stored}))
