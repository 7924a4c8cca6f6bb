"""Patterns of metric filters: matching lines, other lines, and unsupported patterns."""

import json
import operator
from collections.abc import Callable

import pytest
from hypothesis import given, settings
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


DOCUMENTED: dict[str, tuple[list[dict[str, object]], list[dict[str, object]]]] = {
    '{ $.level = "CRITICAL" }': ([{"level": "CRITICAL"}], [{"level": "critical"}, {}]),
    '{ $.level != "INFO" }': ([{"level": "ERROR"}], [{}, {"level": 7}]),
    '{ $.id = "re*" }': ([{"id": "request"}], [{"id": "are"}]),
    '{ $.id = "*est" }': ([{"id": "request"}], []),
    '{ $.id = "*que*" }': ([{"id": "request"}], []),
    '{ $.id = "*" }': ([{"id": ""}], []),
    "{ $.n = 5 }": ([{"n": 5.0}], [{"n": "5"}]),
    "{ $.n >= 1.5e2 }": ([{"n": 150}], []),
    "{ $.n = 1 }": ([], [{"n": True}]),
    '{ $.n = "5" }': ([], [{"n": 5}]),
    "{ $.a.b IS NULL }": ([{"a": {"b": None}}], [{"a": {}}]),
    "{ $.a.b NOT EXISTS }": ([{"a": {}}], []),
    "{ $.a.b NOT  EXISTS }": ([], [{"a": {"b": None}}]),
    "{ $.ok IS TRUE }": ([{"ok": True}], []),
    "{ $.ok IS FALSE }": ([], [{"ok": 0}]),
    "{ $.a = 1 || $.b = 1 && $.c = 1 }": ([{"a": 1}], []),
    "{ ($.a = 1 || $.b = 1) && $.c = 1 }": ([], [{"a": 1}]),
    '{($.level="CRITICAL")&&($.event="x")}': ([{"level": "CRITICAL", "event": "x"}], []),
}
"""Patterns, each with events that match and events that do not."""


@pytest.mark.parametrize("pattern", DOCUMENTED)
def test_a_pattern_matches_as_documented(pattern: str) -> None:
    """A pattern of the subset matches as CloudWatch's documentation says."""
    matching, others = DOCUMENTED[pattern]
    matches = FilterPattern(pattern).matches
    assert matching == [each for each in matching + others if matches(json.dumps(each))]


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


@settings(max_examples=40)
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


@settings(max_examples=40)
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
