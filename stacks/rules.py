"""What a value of the configuration may be: each rule turns one JSON value into a typed one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

_NONE_GIVEN: Final = object()


@dataclass(frozen=True)
class Rule:
    """What is allowed for one key, and how its JSON value becomes a typed one.

    `expected` completes the sentence "… is not <expected>".
    """

    expected: str
    fits: Callable[[Any], bool]
    convert: Callable[[Any], object] = lambda value: value
    default: object = _NONE_GIVEN

    @property
    def required(self) -> bool:
        """Whether a configuration has to name the key."""
        return self.default is _NONE_GIVEN

    def read(self, value: object) -> object:
        """Return the typed value.

        Raises:
            ValueError: The value is not allowed; says the value, its kind and what is allowed.
        """
        if not self.fits(value):
            msg = f"{value!r} ({type(value).__name__}) is not {self.expected}"
            raise ValueError(msg)
        return self.convert(value)


def optional(rule: Rule) -> Rule:
    """Return the rule for a key that may be left out or null, and is None then."""
    return replace(
        rule,
        expected=f"{rule.expected}, or null",
        fits=lambda value: value is None or rule.fits(value),
        convert=lambda value: None if value is None else rule.convert(value),
        default=None,
    )


def boolean() -> Rule:
    """Return the rule for true or false."""
    return Rule("true or false", lambda value: isinstance(value, bool))


def whole(low: int, high: int, convert: Callable[[int], object] = int) -> Rule:
    """Return the rule for a whole number from `low` to `high`, both included."""
    return Rule(
        f"a whole number from {low:,} to {high:,}",
        lambda value: type(value) is int and low <= value <= high,
        convert,
    )


def one_of(choices: Mapping[Any, object]) -> Rule:
    """Return the rule for one of the mapping's keys, which is read as the mapping's value."""
    return Rule(
        f"one of {', '.join(str(choice) for choice in choices)}",
        lambda value: type(value) in {str, int} and value in choices,
        lambda value: choices[value],
    )


def number() -> Rule:
    """Return the rule for a number above 0."""
    return Rule(
        "a number above 0",
        lambda value: type(value) in {int, float} and 0 < value < float("inf"),
        float,
    )


def share(low: float) -> Rule:
    """Return the rule for a number from `low` to 1, both included."""
    return Rule(
        f"a number from {low:.3g} to 1",
        lambda value: type(value) in {int, float} and low - 0.001 <= value <= 1,
        lambda value: max(low, float(value)),  # `low` is told, and may be given, in three digits
    )


def by_name(name: Rule, value: Rule) -> Rule:
    """Return the rule for an object, possibly empty, whose keys fit `name`."""
    return Rule(
        f"an object of {name.expected}, each with {value.expected}",
        lambda given: (
            isinstance(given, dict)
            and all(name.fits(key) and value.fits(part) for key, part in given.items())
        ),
        lambda given: {key: value.convert(part) for key, part in given.items()},
    )


def text(pattern: str, expected: str) -> Rule:
    """Return the rule for a string that matches the regular expression as a whole."""
    return Rule(
        expected,
        lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None,
    )


def distinct(item: Rule) -> Rule:
    """Return the rule for a list, possibly empty, of different values that each fit `item`."""
    return Rule(
        f"a list of different values, each {item.expected}",
        lambda value: (
            isinstance(value, list)
            and all(item.fits(part) for part in value)
            and len(set(value)) == len(value)
        ),
        tuple,
    )
