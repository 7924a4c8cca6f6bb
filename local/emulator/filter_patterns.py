"""JSON patterns of metric filters, matched as CloudWatch Logs matches them.

The embedded AWS stores metric filters but does not evaluate them. This implements the documented
subset that the CDK's `FilterPattern` can produce for JSON lines, without regular expressions and
array indexes; any other pattern is an error. Syntax:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import operator
from collections.abc import Callable
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from local.errors import LocalCloudError

GRAMMAR = r"""
    ?start: "{" any_of "}"
    ?any_of: all_of ("||" all_of)*
    ?all_of: term ("&&" term)*
    ?term: "(" any_of ")" | comparison | state

    comparison: selector COMPARATOR (TEXT | NUMBER)
    state: selector STATE
    selector: "$" ("." NAME)+

    COMPARATOR: "!=" | "<=" | ">=" | "=" | "<" | ">"
    STATE: /NOT\s+EXISTS/ | /IS\s+(NULL|TRUE|FALSE)/
    TEXT: /"[^"\\]*"/
    NUMBER: /-?\d+(\.\d+)?([eE][+-]?\d+)?/
    NAME: /[A-Za-z0-9_-]+/

    %import common.WS
    %ignore WS
"""

ABSENT = object()

Matcher = Callable[[dict[str, Any]], bool]
Test = Callable[[Any], bool]

STATES: dict[str, Test] = {
    "NOT EXISTS": lambda value: value is ABSENT,
    "IS NULL": lambda value: value is None,
    "IS TRUE": lambda value: value is True,
    "IS FALSE": lambda value: value is False,
}

COMPARATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class UnsupportedPatternError(LocalCloudError):
    """The pattern is outside the supported subset."""


class FilterPattern:
    """A compiled JSON filter pattern.

    Args:
        pattern: of a metric filter, such as `{ ($.level = "CRITICAL") && ($.event = "…") }`.

    Raises:
        UnsupportedPatternError: the pattern is outside the subset; the text contains it.
    """

    def __init__(self, pattern: str) -> None:
        try:
            self._matcher: Matcher = _Compiler().transform(_PARSER.parse(pattern))
        except (UnexpectedInput, VisitError) as error:
            message = f"metric filter pattern not supported by the local cloud: {pattern}"
            raise UnsupportedPatternError(message) from error

    def matches(self, line: str) -> bool:
        """Return whether a log line matches; a line that is not a JSON object never does."""
        try:
            event = json.loads(line)
        except ValueError:
            return False
        return isinstance(event, dict) and self._matcher(event)


class _Compiler(Transformer[Token, Matcher]):
    """Compiles the parsed pattern, leaves first, to one function of the event."""

    def any_of(self, matchers: list[Matcher]) -> Matcher:
        return lambda event: any(matches(event) for matches in matchers)

    def all_of(self, matchers: list[Matcher]) -> Matcher:
        return lambda event: all(matches(event) for matches in matchers)

    def state(self, parts: list[Any]) -> Matcher:
        path, state = parts
        test = STATES[" ".join(state.split())]
        return lambda event: test(_value(event, path))

    def comparison(self, parts: list[Any]) -> Matcher:
        path, comparator, literal = parts
        test = _text_test if literal.type == "TEXT" else _number_test
        holds = test(comparator, literal)
        return lambda event: holds(_value(event, path))

    def selector(self, names: list[Token]) -> list[str]:
        return [str(name) for name in names]


def _value(event: dict[str, Any], path: list[str]) -> Any:
    value: Any = event
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
    return value


def _number_test(comparator: Token, literal: Token) -> Test:
    """Compare with numbers only, which booleans are not."""
    compare, number = COMPARATORS[comparator], float(literal)
    return lambda value: (
        isinstance(value, int | float) and not isinstance(value, bool) and compare(value, number)
    )


def _text_test(comparator: Token, literal: Token) -> Test:
    """Compare with texts only, so an absent property is never `!=` to one."""
    if comparator not in {"=", "!="}:
        raise UnsupportedPatternError(f"texts cannot be ordered: {comparator} {literal}")
    equals = _text_equality(literal[1:-1])
    expected = comparator == "="
    return lambda value: isinstance(value, str) and equals(value) is expected


def _text_equality(text: str) -> Callable[[str], bool]:
    """Allow an asterisk as a wildcard at the start and at the end."""
    inner = text.strip("*")
    if "*" in inner or text.count("*") > 2:  # noqa: PLR2004 - one at each end
        raise UnsupportedPatternError(
            f"an asterisk is supported only at the ends of a text: {text}"
        )
    match (text.startswith("*"), text.endswith("*")):
        case (True, True):
            return lambda value: inner in value
        case (True, False):
            return lambda value: value.endswith(inner)
        case (False, True):
            return lambda value: value.startswith(inner)
        case _:
            return lambda value: value == text


_PARSER = Lark(GRAMMAR, parser="lalr")
