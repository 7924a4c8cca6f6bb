"""JSON values in DynamoDB's own notation, and back."""

import json
from collections.abc import Mapping
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


def size(stored: Mapping[str, Any]) -> int:
    """Bytes that DynamoDB counts for attributes in its own notation, or a few more.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _size_of_value(value) for name, value in stored.items())


def _size_of_value(typed: Mapping[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return 2 + (len(Decimal(value).as_tuple().digits) + 1) // 2
        case "M":
            return 3 + len(value) + size(value)
        case "L":
            return 3 + len(value) + sum(map(_size_of_value, value))
    return 1


def _storable(value: Any, levels: int) -> Any:
    if isinstance(value, str | bool | None | Decimal):
        return value
    if isinstance(value, int | float):
        return _storable_number(value)
    if levels == 0:
        return json.dumps(value, ensure_ascii=False)
    if not isinstance(value, Mapping):
        return [_storable(part, levels - 1) for part in value]
    if all(0 < len(name.encode()) <= LONGEST_NAME for name in value):
        return {name: _storable(part, levels - 1) for name, part in value.items()}
    return json.dumps(value, ensure_ascii=False)


def _storable_number(value: float) -> Decimal | str:
    text = repr(value)
    try:
        exact = DYNAMODB_CONTEXT.create_decimal(text)
    except ArithmeticError:
        return text
    is_held = exact.is_finite() and LEAST_EXPONENT <= exact.adjusted() <= LARGEST_EXPONENT
    return exact if is_held else text
