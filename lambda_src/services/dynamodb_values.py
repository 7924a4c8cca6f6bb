"""JSON values in DynamoDB's own notation, and back."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import DYNAMODB_CONTEXT, TypeDeserializer, TypeSerializer

DEEPEST = 24
"""Levels of nesting stored as maps and lists; DynamoDB takes 32, ours and the parents' included."""

LEAST_EXPONENT, LARGEST_EXPONENT = -130, 125
"""Powers of ten between which DynamoDB holds a number; boto3 lets a few more pass."""

LONGEST_NAME = 65_535
"""Bytes that DynamoDB takes as an attribute name, of which there must be one at least."""

_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def serialized(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes in DynamoDB's own notation; what it cannot hold, as the JSON text of that part."""
    return {
        name: _serializer.serialize(_storable(value, DEEPEST)) for name, value in attributes.items()
    }


def deserialized(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes out of DynamoDB's own notation; numbers are decimals."""
    return {name: _deserializer.deserialize(value) for name, value in stored.items()}


def is_larger_than(limit: int, attributes: Mapping[str, Any]) -> bool:
    """Whether DynamoDB counts more bytes than that for attributes once they are serialized.

    Told before they are: a megabyte of small values takes a hundred in DynamoDB's notation.
    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    total = 0
    for part in _sizes_of_fields(attributes, DEEPEST):
        total += part
        if total > limit:
            return True
    return False


def _sizes_of_fields(fields: Mapping[str, Any], levels: int) -> Iterator[int]:
    for name, value in fields.items():
        yield len(name.encode())
        yield from _sizes(value, levels)


def _sizes(value: Any, levels: int) -> Iterator[int]:
    """The bytes of a value's parts; in containers each part has one of its own."""
    if _is_kept_as_text(value, levels):
        value = _as_text(value)
    if isinstance(value, Mapping):
        yield 3 + len(value)
        yield from _sizes_of_fields(value, levels - 1)
    elif isinstance(value, list | tuple):
        yield 3 + len(value)
        for part in value:
            yield from _sizes(part, levels - 1)
    else:
        yield _size_of_scalar(_storable(value, levels))


def _size_of_scalar(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Decimal):
        return 2 + (len(value.as_tuple().digits) + 1) // 2
    return 1


def _storable(value: Any, levels: int) -> Any:
    if isinstance(value, str | bool | None | Decimal):
        return value
    if isinstance(value, int | float):
        return _storable_number(value)
    if _is_kept_as_text(value, levels):
        return _as_text(value)
    if isinstance(value, Mapping):
        return {name: _storable(part, levels - 1) for name, part in value.items()}
    return [_storable(part, levels - 1) for part in value]


def _is_kept_as_text(value: Any, levels: int) -> bool:
    """Whether a container lies too deep for DynamoDB, or has a name that it does not take."""
    if isinstance(value, Mapping):
        return levels == 0 or not all(0 < len(name.encode()) <= LONGEST_NAME for name in value)
    return levels == 0 and isinstance(value, list | tuple)


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _storable_number(value: float) -> Decimal | str:
    text = repr(value)
    try:
        exact = DYNAMODB_CONTEXT.create_decimal(text)
    except ArithmeticError:
        return text
    is_held = exact.is_finite() and LEAST_EXPONENT <= exact.adjusted() <= LARGEST_EXPONENT
    return exact if is_held else text
