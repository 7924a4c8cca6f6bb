"""Conversion of JSON values to DynamoDB's notation and back, and their size as DynamoDB counts it.

What DynamoDB cannot store as it is (numbers out of its range, deep nesting, empty names) is stored
as JSON text.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import Clamped, Context, Decimal, Inexact, Overflow, Rounded, Underflow
from typing import Any

from lambda_src.core import CONVERTED_VALUES

MAX_DEPTH = 24
"""Levels of nesting stored as maps and lists. DynamoDB allows 32, which must include the record's
own attributes above them."""

MIN_EXPONENT, MAX_EXPONENT = -130, 125
"""DynamoDB's range of numbers in powers of ten."""
MAX_DIGITS = 38
"""DynamoDB's precision."""

MAX_NAME_BYTES = 65_535
"""DynamoDB's limit for an attribute name, which also must not be empty."""

MIN_PLAIN, MAX_PLAIN = 1e-100, 2.0**53
"""Numbers between these absolute values, and 0, are read from their decimals as they were."""

_EXACT = Context(
    prec=MAX_DIGITS,
    Emin=MIN_EXPONENT,
    Emax=MAX_EXPONENT,
    traps=[Clamped, Inexact, Overflow, Rounded, Underflow],
)


def serialize(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Convert attributes to DynamoDB's notation."""
    return {name: _serialize(value, MAX_DEPTH) for name, value in attributes.items()}


def deserialize(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Convert attributes from DynamoDB's notation; numbers become decimals, sets lists."""
    return {name: _deserialize(value) for name, value in stored.items()}


def serialize_record(record: Mapping[str, Any], max_bytes: int) -> dict[str, Any] | None:
    """Convert a whole record to DynamoDB's notation; None if it would have more bytes.

    The attribute `converted_values` lists the paths of the values that are not read as they were
    written: each is stored as JSON text, or is a float whose decimal has no fraction.
    """
    paths = [list(path) for path in _converted(record, MAX_DEPTH + 1, ())]
    if paths:
        known = record.get(CONVERTED_VALUES, [])
        record = {**record, CONVERTED_VALUES: [*known, *paths]}
    return None if exceeds_size(max_bytes, record) else serialize(record)


def exceeds_size(maximum: int, attributes: Mapping[str, Any]) -> bool:
    """Return whether DynamoDB counts more bytes than that for the attributes.

    Computed before serialization, since a megabyte of small values takes a hundred in DynamoDB's
    notation.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    # A cheap upper bound first: no value takes more than twice the bytes of its JSON text.
    if 2 * len(json.dumps(attributes, default=str)) <= maximum:
        return False
    return _size_of_fields(attributes, MAX_DEPTH) > maximum


def _deserialize(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "M":
            return {name: _deserialize(part) for name, part in content.items()}
        case "L":
            return [_deserialize(part) for part in content]
        case "N":
            return Decimal(content)
        case "NULL":
            return None
        case "NS":
            return [Decimal(number) for number in content]
    return content


def _serialize(  # noqa: PLR0911 - one return for each type
    value: Any, levels: int
) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        number = _storable_number(value)
        return {"N": str(number)} if isinstance(number, Decimal) else {"S": number}
    if isinstance(value, bytes):
        return {"B": value}
    if _is_stored_as_text(value, levels):
        return {"S": _to_json(value)}
    if isinstance(value, Mapping):
        return {"M": {name: _serialize(part, levels - 1) for name, part in value.items()}}
    return {"L": [_serialize(part, levels - 1) for part in value]}


def _size_of_fields(fields: Mapping[str, Any], levels: int) -> int:
    return sum(len(name.encode()) + _size(value, levels) for name, value in fields.items())


def _size(value: Any, levels: int) -> int:  # noqa: PLR0911 - one return for each type
    if isinstance(value, str):
        return len(value.encode())
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, int | float | Decimal):
        number = _storable_number(value)
        if isinstance(number, str):
            return len(number)
        return 2 + (len(number.as_tuple().digits) + 1) // 2
    if _is_stored_as_text(value, levels):
        return len(_to_json(value).encode())
    # A container takes three bytes, and one more for each element.
    if isinstance(value, Mapping):
        return 3 + len(value) + _size_of_fields(value, levels - 1)
    return 3 + len(value) + sum(_size(part, levels - 1) for part in value)


def _converted(value: Any, levels: int, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    match value:
        case str() | None | bool() | Decimal() | bytes():
            return
        case int() | float():
            if not _is_read_as_written(value):
                yield path
        case _ if _is_stored_as_text(value, levels):
            yield path
        case _:
            parts = value.items() if isinstance(value, Mapping) else enumerate(value)
            for name, part in parts:
                if not isinstance(part, str):
                    yield from _converted(part, levels - 1, (*path, str(name)))


def _is_read_as_written(value: float) -> bool:
    if not value or MIN_PLAIN < abs(value) < MAX_PLAIN:
        return True
    number = _storable_number(value)
    return isinstance(number, Decimal) and (isinstance(value, int) or int(number) == value)


def _is_stored_as_text(value: Any, levels: int) -> bool:
    """Return whether a container is nested too deeply, or has a name that DynamoDB refuses."""
    if levels == 0:
        return True
    if not isinstance(value, Mapping):
        return False
    # Only long names are encoded: a character has at most four bytes.
    longest = max(map(len, value), default=0)
    return "" in value or (
        longest * 4 > MAX_NAME_BYTES and any(len(name.encode()) > MAX_NAME_BYTES for name in value)
    )


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _storable_number(value: float | Decimal) -> Decimal | str:
    """Return a number as DynamoDB stores it exactly, or its text if it cannot."""
    text = str(value)
    try:
        exact = _EXACT.create_decimal(text)
    except ArithmeticError:
        return text
    in_range = exact.is_finite() and MIN_EXPONENT <= exact.adjusted() <= MAX_EXPONENT
    return exact if in_range else text
