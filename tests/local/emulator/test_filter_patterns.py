"""Patterns of metric filters: matching lines, other lines, and unsupported patterns."""

import json
import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.emulator.filter_patterns import FilterPattern, UnsupportedPatternError

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
texts = st.text(
    st.characters(exclude_characters='"\\*', exclude_categories=["C"]), min_size=1, max_size=12
)
numbers = st.integers(-1000, 1000)
values = st.one_of(texts, numbers, st.booleans(), st.none())
events = st.dictionaries(names, values, max_size=4)

COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@pytest.mark.parametrize(
    ("pattern", "event", "matches"),
    [
        ('{ $.level = "CRITICAL" }', {"level": "CRITICAL"}, True),
        ('{ $.level = "CRITICAL" }', {"level": "critical"}, False),
        ('{ $.level = "CRITICAL" }', {}, False),
        ('{ $.level != "INFO" }', {"level": "ERROR"}, True),
        ('{ $.level != "INFO" }', {}, False),
        ('{ $.level != "INFO" }', {"level": 7}, False),
        ('{ $.id = "re*" }', {"id": "request"}, True),
        ('{ $.id = "*est" }', {"id": "request"}, True),
        ('{ $.id = "*que*" }', {"id": "request"}, True),
        ('{ $.id = "re*" }', {"id": "are"}, False),
        ('{ $.id = "*" }', {"id": ""}, True),
        ("{ $.n = 5 }", {"n": 5.0}, True),
        ("{ $.n >= 1.5e2 }", {"n": 150}, True),
        ("{ $.n = 1 }", {"n": True}, False),
        ("{ $.n = 5 }", {"n": "5"}, False),
        ('{ $.n = "5" }', {"n": 5}, False),
        ("{ $.a.b IS NULL }", {"a": {"b": None}}, True),
        ("{ $.a.b IS NULL }", {"a": {}}, False),
        ("{ $.a.b NOT EXISTS }", {"a": {}}, True),
        ("{ $.a.b NOT  EXISTS }", {"a": {"b": None}}, False),
        ("{ $.ok IS TRUE }", {"ok": True}, True),
        ("{ $.ok IS FALSE }", {"ok": 0}, False),
        ("{ $.a = 1 || $.b = 1 && $.c = 1 }", {"a": 1}, True),
        ("{ ($.a = 1 || $.b = 1) && $.c = 1 }", {"a": 1}, False),
        ('{($.level="CRITICAL")&&($.event="x")}', {"level": "CRITICAL", "event": "x"}, True),
    ],
)
def test_a_pattern_matches_as_documented(
    pattern: str, event: dict[str, object], matches: bool
) -> None:
    """A pattern of the subset matches as CloudWatch's documentation says."""
    assert matches is FilterPattern(pattern).matches(json.dumps(event))


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "ERROR",
        "[ip, user, status = 4*]",
        "{ $.level = CRITICAL }",
        "{ $.level = %CRIT% }",
        '{ $.level = "CRITICAL" ',
        '{ $.level == "CRITICAL" }',
        '{ $.level > "CRITICAL" }',
        '{ $.items[0] = "x" }',
        '{ $.id = "a*b" }',
        '{ $.id = "a\\"b" }',
        "{ $.a EXISTS }",
        "{ $.a }",
        "{ a = 1 }",
        "{ $.a = 1 & $.b = 2 }",
        "{ $.a = 1 } trailing",
    ],
)
def test_an_unsupported_pattern_is_an_error(pattern: str) -> None:
    """A pattern outside the supported subset is an error that contains it."""
    with pytest.raises(UnsupportedPatternError) as raised:
        FilterPattern(pattern)
    assert pattern in str(raised.value)


@pytest.mark.parametrize("line", ["", "START RequestId: 1", "[1, 2]", '"level"', "{broken"])
def test_other_lines_than_json_objects_do_not_match(line: str) -> None:
    """A line that is not a JSON object matches no pattern, not even one of absence."""
    assert not FilterPattern("{ $.level NOT EXISTS }").matches(line)


@given(name=names, value=texts, event=events)
def test_equality_of_texts(name: str, value: str, event: dict[str, object]) -> None:
    """A text pattern matches only events with exactly that text under that name."""
    pattern = FilterPattern(f'{{ $.{name} = "{value}" }}')
    assert (event.get(name) == value) is pattern.matches(json.dumps(event))
    assert pattern.matches(json.dumps(event | {name: value}))


@given(name=names, symbol=st.sampled_from(list(COMPARISONS)), left=numbers, right=numbers)
def test_comparison_of_numbers(name: str, symbol: str, left: int, right: int) -> None:
    """A number pattern compares as arithmetic does."""
    pattern = FilterPattern(f"{{ $.{name} {symbol} {right} }}")
    assert COMPARISONS[symbol](left, right) is pattern.matches(json.dumps({name: left}))


@given(event=events, first=names, second=names)
def test_conjunction_and_disjunction(event: dict[str, object], first: str, second: str) -> None:
    """`&&` matches where both sides match, `||` where either does."""
    line = json.dumps(event)
    left, right = (f"$.{name} NOT EXISTS" for name in (first, second))
    sides = [FilterPattern(f"{{ {side} }}").matches(line) for side in (left, right)]
    assert all(sides) is FilterPattern(f"{{ {left} && {right} }}").matches(line)
    assert any(sides) is FilterPattern(f"{{ ({left}) || ({right}) }}").matches(line)


@given(text=st.text(max_size=30))
def test_any_text_is_compiled_or_an_error(text: str) -> None:
    """Every pattern is either compiled or reported as unsupported."""
    try:
        FilterPattern(text).matches("{}")
    except UnsupportedPatternError:
        return
