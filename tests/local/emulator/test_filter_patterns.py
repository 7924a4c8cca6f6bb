"""Patterns of metric filters: matching lines, other lines, and unsupported patterns."""

import json

import pytest

from local.emulator.filter_patterns import FilterPattern, UnsupportedPatternError

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
        "[ip, user, status = 4*]",
        "{ $.level = CRITICAL }",
        '{ $.level = "CRITICAL" ',
        '{ $.level > "CRITICAL" }',
        '{ $.items[0] = "x" }',
        '{ $.id = "a*b" }',
        '{ $.id = "a\\"b" }',
        "{ $.a }",
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
