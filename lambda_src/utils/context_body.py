"""A queue message's body as a JSON object that every later part can hold, or the one error."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lambda_src.core.rejection import Problem, RejectedContext
from lambda_src.utils.context_depth import DEEPEST, cut_below
from lambda_src.utils.context_problems import INVALID, kind

LONGEST_NUMBER = 4_000
"""Digits of a whole number that is read as one; Python itself refuses those of more than 4,300."""

NOT_JSON = "body_not_json"
AMBIGUOUS = "body_ambiguous"

_HALF_CHARACTER = re.compile(r"\\u[dD][89A-Fa-f]|[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Body:
    """A body's object, as far as it can be told, and what is wrong with the body as a whole."""

    document: dict[str, Any]
    problems: tuple[Problem, ...]


def decoded(body: str) -> Body:
    """The object that a body holds.

    Numbers that Python cannot hold exactly are kept as their text, halves of characters are
    replaced. Of what is wrong with the JSON itself nothing stands in the object: what is nested too
    deeply and what is no number of JSON's is null, and of a name that stands twice neither value is
    told.

    Raises:
        RejectedContext: It is no JSON, or no object.
    """
    shallow, is_cut = cut_below(DEEPEST, body)
    reader = _Reader()
    try:
        document = reader.read(shallow)
        if _HALF_CHARACTER.search(body):
            document = reader.read(_without_lone_surrogates(document))
    except ValueError:
        # Without its cause: the decoder's error carries the whole body.
        raise _whole(NOT_JSON, "JSON text", "other text") from None
    if not isinstance(document, dict):
        raise _whole("body_not_object", "an object", kind(document))
    if is_cut:
        too_deep = Problem(INVALID, "body", f"at most {DEEPEST} levels of nesting", "more")
        return Body(document, (too_deep, *reader.problems))
    return Body(document, tuple(reader.problems))


class _Reader:
    """Reads JSON, and gathers what is wrong with it where Python's own reader is lenient."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def read(self, text: str) -> Any:
        return json.loads(
            text,
            parse_constant=self._no_number,
            parse_float=_exact,
            parse_int=_countable,
            object_pairs_hook=self._unambiguous,
        )

    def _no_number(self, _: str) -> None:
        self._note(Problem(NOT_JSON, "body", "JSON's numbers", "NaN or an infinity"))

    def _unambiguous(self, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) == len(pairs):
            return fields
        # Readers differ in which value they take: it must not be up to ours who gave consent.
        self._note(Problem(AMBIGUOUS, "body", "each name once in an object", "a name twice"))
        counts = Counter(name for name, _ in pairs)
        return {name: value for name, value in pairs if counts[name] == 1}

    def _note(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def _exact(text: str) -> float | str:
    """A number, or its text where binary arithmetic does not hold just that number."""
    number = float(text)
    try:
        return number if Decimal(text) == Decimal(repr(number)) else text
    except ArithmeticError:  # an exponent beyond any arithmetic
        return text


def _countable(text: str) -> int | str:
    """A whole number, or its text where it is too long for one."""
    return int(text) if len(text) <= LONGEST_NUMBER else text


def _without_lone_surrogates(document: object) -> str:
    text = json.dumps(document, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _whole(code: str, expected: str, found: str) -> RejectedContext:
    return RejectedContext(code, [Problem(code, "body", expected, found)])
