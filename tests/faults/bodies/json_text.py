"""JSON text of every extreme kind, as strategies; only some of it can Python's own writer make.

Every string and name begins with `MARK`, so that it is seen wherever it gets.
"""

import json
from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from hypothesis import strategies as st

MARK = "\ua66e"
"""A letter of no living language (in Unicode, the multiocular O)."""


class Fitness(IntEnum):
    """What is known of a text: the least of its parts is the whole's."""

    REFUSED = 0
    """It must be refused: it is ambiguous, too deep, or no JSON in the strict sense."""
    EITHER = 1
    """Nothing is known: it may be too large, or stand where it must not."""
    SENT = 2
    """It must be sent, and kept in the record as it is."""


class Text(NamedTuple):
    """JSON text, and what must become of a message that holds it where any value may stand."""

    json: str
    fitness: Fitness = Fitness.SENT


NUMBERS = (
    "0", "-0", "-0.0", "1E+5", "1e5", "0.1", "12.850", "1e-130", "1e-131", "1e125", "9.9e126",
    "1e400", "-1e400", "1e-400", "5e-324", "2e-324", "0e99999", "1.7976931348623157e308",
    "0.1234567890123456789012345678901234567890", "1234567890123456789012345678901234567890.5",
    "1" + "0" * 37, "9" * 38, "9" * 39, "-" + "9" * 40, "9" * 4_000, "9" * 4_301, "1" + "0" * 9_999,
)  # fmt: skip
NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
LETTERS = (
    "😀👩‍🚀🏴󠁧󠁢󠁳󠁣󠁴󠁿\U0010ffff"  # beyond the basic plane, joined, tagged
    "שלום مرحبا\u202e\u2066\u2069\u200f\u061c"  # right to left, and what turns directions
    "\x00\x01\x07\x08\x0b\x1b\x1f\x7f\x85\x9f\r\n\t"  # controls
    "\u2028\u2029\ufeff\ufffe\uffff\u00ad\u200b"  # separators, marks, no characters
    "\ud800\udbff\udc00\udfff"  # halves
    "\\\"/'{}[]<>&%$;=,:` üß國ไทย"
)
ESCAPES = (
    r"\ud800", r"\udc00\ud800", r"\ud83d\ude00", r"\u0000", r"\u202e", r"\/", r"\\ud800", r"\b\f",
)  # fmt: skip
DEPTHS = (2, 20, 24, 25, 26, 33, 200, 300, 480)
BOTTOMLESS = (501, 600, 1_000, 20_000, 60_000)
LENGTHS = (255, 1_024, 65_535, 65_536, 70_000)
COUNTS = (100, 3_000, 200_000)


def quoted(text: str) -> str:
    """A string of JSON, marked, with nothing escaped that need not be."""
    return json.dumps(MARK + text, ensure_ascii=False)


def one_of_long(texts: Sequence[str]) -> st.SearchStrategy[str]:
    """One of many long texts; by its number, since hypothesis would write all of them down."""
    return st.integers(0, len(texts) - 1).map(lambda number: texts[number])


numbers = st.one_of(
    one_of_long(NUMBERS),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
).map(Text)
strings = st.one_of(
    st.text(st.one_of(st.sampled_from(LETTERS), st.characters()), max_size=30).map(quoted),
    st.text(max_size=10).map(lambda text: json.dumps(MARK + text)),
    st.sampled_from(ESCAPES).map(lambda escape: f'"{MARK}{escape}"'),
    st.sampled_from(LENGTHS).map(lambda length: quoted("é" * (length // 2))),
    st.just('""'),
).map(Text)
names = st.one_of(
    strings.map(lambda text: text.json), st.integers(0, 9).map(lambda n: quoted(str(n)))
)
empties = st.sampled_from(["[]", "{}", "null", "true", "false", '{"":""}', '{"":[{"":{}}]}']).map(
    Text
)


def _nested(levels: int, opening: str, fitness: Fitness) -> Text:
    inner, closing = ("{}", "}") if opening.endswith(":") else ("[]", "]")
    return Text(opening * levels + inner + closing * levels, fitness)


OPENINGS = ("[", f'{{"{MARK}":', '{"":')
nested = st.builds(
    _nested, st.sampled_from(DEPTHS), st.sampled_from(OPENINGS), st.just(Fitness.SENT)
)
bottomless = st.builds(
    _nested, st.sampled_from(BOTTOMLESS), st.sampled_from(OPENINGS), st.just(Fitness.REFUSED)
)
huge = st.builds(
    lambda count, part: Text(f"[{','.join([part] * count)}]", Fitness.EITHER),
    st.sampled_from(COUNTS),
    st.sampled_from(["0", "-1.5", '""', "[]", "{}", '{"":0}', "null", f'"{MARK}😀"']),
)
impossible = st.one_of(
    st.sampled_from(NO_NUMBERS).map(lambda text: Text(text, Fitness.REFUSED)),
    st.builds(
        lambda name, one, two: Text(f"{{{name}:{one.json},{name}:{two.json}}}", Fitness.REFUSED),
        names,
        numbers,
        strings,
    ),
)
fine = st.one_of(numbers, strings, empties, nested, numbers, strings)


def _array(parts: list[Text]) -> Text:
    least = min((part.fitness for part in parts), default=Fitness.SENT)
    return Text(f"[{','.join(part.json for part in parts)}]", least)


def _object(values: list[Text], beginnings: list[str]) -> Text:
    # Names of their own: numbered, so that none stands twice.
    fields = [
        f'{name[:-1]}{number}":{value.json}'
        for number, (name, value) in enumerate(zip(beginnings, values, strict=False))
    ]
    least = min((value.fitness for value in values), default=Fitness.SENT)
    return Text(f"{{{','.join(fields)}}}", least)


def _with_containers(leaves: st.SearchStrategy[Text]) -> st.SearchStrategy[Text]:
    beginnings = st.lists(names, min_size=4, max_size=4)
    return st.recursive(
        leaves,
        lambda parts: st.one_of(
            st.lists(parts, max_size=4).map(_array),
            st.builds(_object, st.lists(parts, max_size=4), beginnings),
        ),
        max_leaves=6,
    )


fine_values = _with_containers(fine)
"""Any JSON value that must do no harm, as extreme as it comes."""
values = _with_containers(st.one_of(fine, fine, huge, bottomless, impossible))
"""Any JSON value, and what looks like one."""
