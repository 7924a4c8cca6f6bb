"""Dropping: dead letters are given up, and the records say so before the letters are gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.core.ledger import ConditionFailed, Failure
from ops import register_writes as writes
from ops.verdicts import Drop, of_drop

if TYPE_CHECKING:
    from ops.choice import Choice
    from ops.letter_case import Case
    from ops.letters import Letter, Letters
    from ops.register import Register
    from ops.register_writes import Signature
    from ops.suppressions import Suppressions

DROPPED = "dropped_by_operator"
"""The failure's code of a conversation that a person gave up."""
UNREADABLE = "dead-letter"
"""Stands for the recipient in the record of a letter that tells none."""
LINE = "dead letter dropped"


@dataclass(frozen=True)
class Dropping:
    """What a drop does with each letter; its record is written first, so that it can be repeated.

    Attributes:
        choice: Which letters.
        letters: Where they are.
        register: Where it is noted.
        marks: Who was erased, and so must not come back into a record.
        signature: Whose decision it is, and why.
    """

    choice: Choice
    letters: Letters
    register: Register
    marks: Suppressions
    signature: Signature

    def judge(self, case: Case) -> Drop | None:
        """What is to be done with a letter; None for one that was not chosen."""
        return of_drop(case, self.signature.at) if case in self.choice else None

    def execute(self, case: Case, verdict: Drop) -> None:
        """Write down that the letter is given up, and then remove it."""
        line = self.signature.line(LINE)
        if case.entry and verdict is Drop.CLOSE:
            self.register.apply(writes.signed(writes.close(case.entry, self._failure()), line))
        elif case.key and case.record:
            self.register.apply(writes.signed(writes.note(case.key, self.signature.at), line))
        else:
            self._close_absent(case, line)
        self.letters.remove(case.letter)

    def _close_absent(self, case: Case, line: dict[str, str]) -> None:
        named = case.key and not self._was_erased(case.key, case.letter)
        key = case.key if case.key and named else RecordKey(UNREADABLE, case.letter.message_id)
        try:
            self.register.close_absent(key, self._failure(), line)
        except ConditionFailed:
            if named:
                raise
            # A drop of this very letter was interrupted: it is noted already.

    def _was_erased(self, key: RecordKey, letter: Letter) -> bool:
        return self.marks.was_erased(key.primary_channel, letter.sent_at)

    def _failure(self) -> Failure:
        detail = "given up by a person; operator_actions says by whom and why"
        return Failure(Status.FAILED, DROPPED, Step.RECORD, detail, self.signature.at)
