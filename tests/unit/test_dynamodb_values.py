"""JSON values in DynamoDB's own notation."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core.contract import Status
from lambda_src.services.dynamodb_values import DEEPEST, deserialized, is_larger_than, serialized
from tests.unit.test_context_content import json_values, nested

DYNAMODB_LEVELS = 32
"""How deep DynamoDB lets a document be."""


def stored(record: dict[str, Any]) -> dict[str, Any]:
    """What comes back of a record, in Python's own terms."""
    return deserialized(serialized(record))


def depth(value: Any) -> int:
    """How deep a value is nested."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, parts), default=0) if isinstance(value, dict | list) else 0


@given(st.dictionaries(st.text(min_size=1), json_values, max_size=4))
def test_any_json_can_be_stored(value: dict[str, Any]) -> None:
    """Whatever the project's data is, DynamoDB's notation of it exists, and keeps its shape."""
    returned = stored({"project_data": value})["project_data"]
    assert list(value) == list(returned)
    assert has_names_that_dynamodb_takes(returned)


def has_names_that_dynamodb_takes(value: Any) -> bool:
    """Whether no attribute name in a value is empty, or of more than 65,535 bytes."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    names = list(value) if isinstance(value, dict) else []
    return all(0 < len(name.encode()) <= 65_535 for name in names) and all(
        map(has_names_that_dynamodb_takes, parts)
    )


@pytest.mark.parametrize("name", ["", "k" * 65_536, "é" * 32_768])
def test_a_name_that_dynamodb_refuses_makes_its_object_text(name: str) -> None:
    """Nothing is lost: an object with such a name is kept as its JSON text, and it alone."""
    value = {"job": {name: [1.5], "title": "Operative"}, "rate": 12}
    returned = stored({"project_data": value})["project_data"]
    assert value["job"] == json.loads(returned["job"])
    assert 12 == returned["rate"]


@pytest.mark.parametrize("name", ["k", "k" * 65_535, "é" * 32_767])
def test_a_name_that_dynamodb_takes_stays_a_name(name: str) -> None:
    """Up to 65,535 bytes is a name."""
    assert {"x": {name: 1}} == stored({"x": {name: 1}})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12.85, Decimal("12.85")),
        (0.1 + 0.2, Decimal("0.30000000000000004")),
        (-0.0, Decimal("0")),
        (10**37, Decimal(10**37)),
        (10**38 + 1, str(10**38 + 1)),
        (1e125, Decimal("1e125")),
        (9.9e125, Decimal("9.9e125")),
        (-1e126, "-1e+126"),
        (1e-130, Decimal("1e-130")),
        (1e-131, "1e-131"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, True),
        (None, None),
        ("", ""),
        (Status.SENT, "initial_message_sent"),
    ],
)
def test_odd_values_are_stored_exactly_or_as_text(value: object, expected: object) -> None:
    """A number that DynamoDB cannot hold exactly is kept as its text; none is rounded."""
    assert {"x": expected} == stored({"x": value})


@pytest.mark.parametrize("levels", [1, DEEPEST, DEEPEST + 1, 300, 900])
def test_deep_nesting_is_stored_as_text_from_where_it_is_too_deep(levels: int) -> None:
    """Nothing is lost: what lies too deep for DynamoDB is the JSON text of that part."""
    returned = stored({"project_data": nested(levels)})["project_data"]
    assert depth(returned) < DYNAMODB_LEVELS - 4
    unfolded, count = returned, 0
    while unfolded:
        unfolded = json.loads(unfolded) if isinstance(unfolded, str) else unfolded["deeper"]
        count += not isinstance(unfolded, str)
    assert levels == count


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", 0),
        ("é" * 100, 200),
        (True, 1),
        (None, 1),
        (0, 3),
        (-12.85, 4),
        (10**38 - 1, 21),
        ([], 3),
        ({}, 3),
        ([[0, 0, 0]], 19),
        ({"né": "x"}, 8),
    ],
)
def test_a_size_is_what_dynamodb_counts(value: object, expected: int) -> None:
    """Bytes of text and names, two digits a byte, three for a container and one for each part."""
    size = len("name") + expected
    assert not is_larger_than(size, {"name": value})
    assert is_larger_than(size - 1, {"name": value})


def counted(typed: dict[str, Any]) -> int:
    """Bytes of a value in DynamoDB's own notation, as its documentation counts them."""
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return 2 + (len(Decimal(value).as_tuple().digits) + 1) // 2
        case "M":
            fields = sum(len(name.encode()) + counted(part) for name, part in value.items())
            return 3 + len(value) + fields
        case "L":
            return 3 + len(value) + sum(map(counted, value))
    return 1


@given(json_values, st.integers(0, DEEPEST + 3))
def test_a_size_is_told_before_anything_is_serialized(value: Any, levels: int) -> None:
    """It is that of the notation, whatever is kept as text for its depth or its names."""
    for _ in range(levels):
        value = [value]
    size = len("name") + counted(serialized({"name": value})["name"])
    assert not is_larger_than(size, {"name": value})
    assert is_larger_than(size - 1, {"name": value})
