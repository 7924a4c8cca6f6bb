"""A context object that is refused, with everything that is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lambda_src.core.context import RecordKey
from lambda_src.core.errors import PermanentFailure, Step


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a context object: where, what was expected, what kind stood there."""

    code: str
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, found {self.found}"


MOST_TOLD = 20
"""Problems that an error's text lists, so that neither log nor record grows with a bad body."""


class RejectedContext(PermanentFailure):
    """A body that is no valid context object of this channel, with everything wrong with it.

    Args:
        code: The one code of all problems, or `context_invalid` where they differ.
        problems: Every problem found; the text tells the first `MOST_TOLD`.
        key: The record's key, where the body tells it.
        request_id: The router's request id, where the body tells it.
    """

    def __init__(
        self,
        code: str,
        problems: Sequence[Problem],
        *,
        key: RecordKey | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(code, Step.PARSE, _told(problems))
        self.problems = tuple(problems)
        self.key = key
        self.request_id = request_id


def _told(problems: Sequence[Problem]) -> str:
    rest = len(problems) - MOST_TOLD
    more = [f"and {rest} more"] if rest > 0 else []
    return "; ".join([*map(str, problems[:MOST_TOLD]), *more])
