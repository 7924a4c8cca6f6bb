"""A dead letter with all that is known of it: its body read, and its conversation's record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.rejection import RejectedContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_src.core.ledger import Entry
    from ops.letters import Letter
    from ops.register import Record, Register

NO_RECORD = "no_record"
"""The cause of a letter that no worker ever got hold of."""
FOREIGN = "record_foreign"


@dataclass(frozen=True, slots=True)
class Case:
    """A letter, its body as today's runtime reads it, and its conversation's record.

    Attributes:
        letter: The letter.
        content: The context object, or why it is refused.
        record: The record, None if there is none or the body does not tell whose it is.
    """

    letter: Letter
    content: ContextObject | RejectedContext
    record: Record | None

    @property
    def key(self) -> RecordKey | None:
        """Which conversation it is, None where the body does not tell."""
        return self.content.key

    @property
    def entry(self) -> Entry | None:
        """The ledger's reading of the record."""
        return self.record.entry if self.record else None

    @property
    def conversation_id(self) -> str:
        """The conversation's id, empty where the body does not tell."""
        return self.key.conversation_id if self.key else ""

    @property
    def company_id(self) -> str:
        """The tenant, empty where nothing tells."""
        if isinstance(self.content, ContextObject):
            return str(self.content.attributes.get("company_id", ""))
        recorded = self.record.attributes.get("company_id", "") if self.record else ""
        return str(recorded) or self.letter.group

    @property
    def status(self) -> str:
        """The record's status, empty if there is no record."""
        return self.record.status if self.record else ""

    @property
    def cause(self) -> str:
        """Why it is here, in one stable code."""
        if self.record and not self.entry:
            return FOREIGN
        if self.entry:
            return self.entry.failure_code or str(self.entry.status)
        return self.content.code if isinstance(self.content, RejectedContext) else NO_RECORD


@dataclass(frozen=True, slots=True)
class CaseFile:
    """Opens letters.

    Attributes:
        parse: As the deployed function reads bodies.
        register: The conversations.
    """

    parse: Callable[[str], ContextObject]
    register: Register

    def open(self, letter: Letter) -> Case:
        """Read a letter's body and its conversation's record, as they are now."""
        content = self._content(letter.body)
        record = self.register.read(content.key) if content.key else None
        return Case(letter, content, record)

    def _content(self, body: str) -> ContextObject | RejectedContext:
        try:
            return self.parse(body)
        except RejectedContext as rejected:
            return rejected
