"""Redriving: dead letters go back on the queue through the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core.context import ContextObject
from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.core.ledger import ConditionFailed, Failure
from ops import register_writes as writes
from ops.verdicts import Verdict, of_redrive

if TYPE_CHECKING:
    from collections.abc import Collection

    from lambda_src.core.context import RecordKey
    from ops.choice import Choice
    from ops.letter_case import Case
    from ops.letters import Letters
    from ops.pace import Pace
    from ops.queueing import Queue
    from ops.register import Register
    from ops.register_writes import Signature
    from ops.suppressions import Suppressions

REDRIVEN = "redriven_by_operator"
"""The failure's code of a conversation that no worker got hold of, until one does."""

LINES = {
    Verdict.REDRIVE: "dead letter redriven",
    Verdict.RELEASE: "released to retry and dead letter redriven",
    Verdict.DONE: "dead letter removed: the message was sent before",
}


@dataclass(frozen=True)
class Redriving:
    """What a redrive does with each letter; safe to interrupt at any point, and to repeat.

    A letter leaves the dead-letter queue last: what was interrupted is found again, and a second
    copy on the queue is harmless, because the ledger decides and not the queue.

    Attributes:
        choice: Which letters.
        mended: Codes of failures whose cause is gone.
        letters: Where they are.
        queue: Where they go.
        register: Where it is noted.
        marks: Who was erased, and so must not come back.
        pace: How fast they go, which is how fast the vendors are asked.
        signature: Whose decision it is.
    """

    choice: Choice
    mended: Collection[str]
    letters: Letters
    queue: Queue
    register: Register
    marks: Suppressions
    pace: Pace
    signature: Signature

    def judge(self, case: Case) -> Verdict | None:
        """What is to be done with a letter; None for one that was not chosen."""
        if case not in self.choice:
            return None
        verdict = of_redrive(case, self.mended)
        return Verdict.ERASED if verdict.acts and self._was_erased(case) else verdict

    def _was_erased(self, case: Case) -> bool:
        """Whether the recipient was erased after the letter was sent; else a record would stand."""
        if case.key is None or case.record:
            return False
        return self.marks.was_erased(case.key.primary_channel, case.letter.sent_at)

    def execute(self, case: Case, verdict: Verdict) -> None:
        """Release if need be, put the letter on the queue, and only then remove it here."""
        if verdict is not Verdict.DONE:
            self.pace.turn()
        self._sign(case, verdict)
        if verdict is not Verdict.DONE:
            self.queue.put(case.letter.body, case.company_id)
        self.letters.remove(case.letter)

    def _sign(self, case: Case, verdict: Verdict) -> None:
        line = self.signature.line(LINES[verdict])
        if verdict is Verdict.RELEASE:
            self._release(case, line)
        elif case.key and case.record:
            self._note(case.key, line)
        elif isinstance(case.content, ContextObject):
            self._open(case.content, line)

    def _release(self, case: Case, line: dict[str, str]) -> None:
        if case.record is None or case.entry is None or not isinstance(case.content, ContextObject):
            raise AssertionError("only a record that failed is released")
        if case.entry.owner:
            released = writes.release(case.entry, self.signature.at)
            self.register.apply(writes.signed(released, line))
        else:  # refused before it was claimed: the record knows nothing of the context object
            self.register.admit(case.content, case.record, self.signature, line)

    def _open(self, context: ContextObject, line: dict[str, str]) -> None:
        detail = "no worker had got hold of it; operator_actions says who redrove it"
        at = self.signature.at
        begun = Failure(Status.RETRY, REDRIVEN, Step.CLAIM, detail, at)
        try:
            self.register.open(context, begun, line)
        except ConditionFailed:  # a copy of the letter was here first
            self._note(context.key, line)

    def _note(self, key: RecordKey, line: dict[str, str]) -> None:
        self.register.apply(writes.signed(writes.note(key, self.signature.at), line))
