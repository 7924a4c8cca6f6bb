"""The proof with extreme bodies can fail: each thing that must not be is found by its name."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.faults.bodies import run
from tests.faults.bodies.json_text import MARK, Fitness, Text
from tests.faults.bodies.odd import Edit, Odd, edited
from tests.faults.bodies.reference import differences
from tests.faults.bodies.trial import ODD, ORDINARY, Aftermath, Wrong, problems
from tests.services.channel import RECIPIENT

FINE = edited(ODD, [Edit("odd", Text("1.50"))])
REFUSED = replace(FINE, fitness=Fitness.REFUSED)
KEY = {"primary_channel": RECIPIENT, "conversation_id": ODD}
SENT = {"conversation_status": "initial_message_sent", "message_sid": "SM1", **KEY}
FAILED = {"conversation_status": "failed", **KEY}
LINE = {"level": "ERROR", "event": "context_invalid", "failure_code": "context_invalid"}
ORDINARY_SENT = {"conversation_status": "initial_message_sent", "message_sid": "SM2"}


def after(
    record: dict[str, Any] | None = None, *, sids: int = 0, failed: bool = True, **changes: Any
) -> Aftermath:
    """What the world shows after a batch in which the ordinary message was sent."""
    records = {ORDINARY: ORDINARY_SENT} | ({ODD: record} if record else {})
    values: dict[str, Any] = {
        "failed": (FINE.text,) if failed else (),
        "records": records,
        "sids": {"ordinary": ["SM2"], "odd": ["SM1"] * sids},
        "lines": [LINE] if failed else [],
    }
    return Aftermath(**values | changes)


def found(odd: Odd, world: Aftermath) -> set[Wrong]:
    """What is found to be wrong."""
    return {wrong for wrong, _ in problems(odd, world)}


def test_a_clear_failure_is_fine() -> None:
    """Reported, recorded, told."""
    assert set() == found(REFUSED, after(FAILED))


@pytest.mark.parametrize(
    ("odd", "world", "expected"),
    [
        (REFUSED, after(FAILED, failed=False), Wrong.LOST),
        (FINE, after(FAILED), Wrong.LOST),
        (REFUSED, after(FAILED, sids=2), Wrong.DOUBLED),
        (REFUSED, after(None), Wrong.RECORD),
        (REFUSED, after({**FAILED, "conversation_status": "processing"}), Wrong.RECORD),
        (REFUSED, after({**FAILED, "primary_channel": "+447700900999"}), Wrong.RECORD),
        (FINE, after(SENT, sids=1, failed=False), Wrong.RECORD),
        (REFUSED, after(FAILED, lines=[]), Wrong.SILENT),
        (REFUSED, after(FAILED, lines=[{**LINE, "level": "INFO"}]), Wrong.SILENT),
        (REFUSED, after(FAILED, lines=[{**LINE, "event": "unexpected_error"}]), Wrong.SILENT),
        (REFUSED, after(FAILED, lines=[{**LINE, "message": f"of {MARK}"}]), Wrong.TOLD),
        (REFUSED, after(FAILED, lines=[{**LINE, "message": "long" * 5_000}]), Wrong.TOLD),
        (REFUSED, after(FAILED, sids=0, records={ODD: FAILED}), Wrong.RECORD),
        (REFUSED, replace(after(FAILED), sids={}), Wrong.LOST),
    ],
)
def test_what_must_not_be_is_found(odd: Odd, world: Aftermath, expected: Wrong) -> None:
    """Each by its name."""
    assert expected in found(odd, world)


@pytest.mark.parametrize(
    ("said", "stored", "is_same"),
    [
        ("1.50", Decimal("1.5"), True),
        ("1.50", "1.50", True),
        ("1.51", Decimal("1.5"), False),
        ("1", True, False),
        ('"a"', "a", True),
        ('"1"', Decimal(1), False),
        (r'"\ud800"', "�", True),
        ('{"a":[1,{}]}', {"a": [Decimal(1), {}]}, True),
        ('{"a":[1,{}]}', '{"a": [1, {}]}', True),
        ('{"a":[1,{}]}', {"a": [Decimal(1)]}, False),
        ('{"a":null}', {"a": None}, True),
        ('{"a":null}', {}, False),
        ("[" * 480 + "]" * 480, "[" * 480 + "]" * 480, True),
    ],
)
def test_a_record_is_compared_value_by_value(said: str, stored: object, is_same: bool) -> None:
    """Numbers by their value, texts by their letters, parts kept as text by what they hold."""
    body = f'{{"company_data_payload": {{"rate_limits": {said}}}}}'
    assert ([] if is_same else ["rate_limits"]) == list(differences(body, {"rate_limits": stored}))


def test_a_run_tells_its_progress_and_its_counts() -> None:
    """Each body is counted once, and nothing is wrong."""
    told: list[tuple[int, int]] = []
    result = run(6, lambda done, of: told.append((done, of)))
    assert [(number, 6) for number in range(1, result.examples + 1)] == told
    counts = (result.lost, result.doubled, result.wrong, result.unresolved)
    assert ((0, 0, 0, 0), ()) == (counts, result.violations)
