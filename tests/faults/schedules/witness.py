"""The witness: sees every effect as it happens, and whose it was."""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from lambda_src.core import log_context
from lambda_src.core.context import RecordKey
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.errors import RecipientSuppressed
from lambda_src.core.ledger import ConditionFailed
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.tasks import Author
from tests.faults.schedules.troubles import OPT_OUT, Effect, Trouble
from tests.unit.fakes.conversations import FakeConversations, Record

CLAIMS = frozenset({"conversations.create", "conversations.take_over"})
CALLS_A_PERSON = frozenset({LogEvent.SEND_OUTCOME_UNKNOWN, LogEvent.FINAL_DB_UPDATE_FAILED})


@dataclass
class Dossier:
    """What was seen of one conversation.

    `holder` is who claimed it last, `holders` who ever did, `informed` who claimed it when its
    answer was stored already, `claims_after_opt_out` how often it was claimed although a record
    says that its recipient opted out.
    """

    sids: list[str] = field(default_factory=list)
    holder: str = ""
    holders: set[str] = field(default_factory=set)
    informed: set[str] = field(default_factory=set)
    asked_again: int = 0
    acts_without_lease: list[str] = field(default_factory=list)
    claims_after_opt_out: int = 0
    alarms: set[str] = field(default_factory=set)
    is_refused: bool = False
    is_mendable: bool = False

    def is_alarmed(self, status: str | None) -> bool:
        """Whether a person was called: about an unknown send, by its very own line."""
        if status == Status.SEND_UNKNOWN:
            return LogEvent.SEND_OUTCOME_UNKNOWN in self.alarms
        return bool(self.alarms & CALLS_A_PERSON)


class Witness(logging.Handler):
    """Keeps a dossier on each conversation, and what the schedule has reached; reads the log."""

    def __init__(self, table: FakeConversations) -> None:
        super().__init__(logging.CRITICAL)
        self.dossiers: dict[RecordKey, Dossier] = {}
        self.reached: set[Reached] = set()
        self._table = table

    def open(self, key: RecordKey) -> Dossier:
        """The dossier of a conversation."""
        return self.dossiers.setdefault(key, Dossier())

    def emit(self, record: logging.LogRecord) -> None:
        """Note that a person was called."""
        conversation = log_context.current().get("conversation_id")
        event = str(vars(record)["event"])
        for key, dossier in self.dossiers.items():
            if key.conversation_id == conversation:
                dossier.alarms.add(event)
        if event == LogEvent.FINAL_DB_UPDATE_FAILED:
            self.reached.add(Reached.UNRECORDED)

    def troubled(self, author: Author | None, trouble: Trouble) -> None:
        """Note what goes wrong, and whether it lets the message fail for good."""
        if author:
            dossier = self.open(author.key)
            dossier.is_refused |= trouble.is_refusal
            dossier.is_mendable |= trouble.is_mendable
        if trouble.is_refusal:
            self.reached.add(Reached.REFUSED)
        if trouble.effect is Effect.TWICE:
            self.reached.add(Reached.REPEATED)

    def seen(self, call: str, author: Author | None, effect: partial[Any]) -> Callable[[], Any]:
        """The same effect, under the eyes of the witness."""
        if author is None:
            return effect
        return partial(self._make, call, author, effect)

    def _make(self, call: str, author: Author, effect: partial[Any]) -> Any:
        before = self._table.records.get(author.key)
        try:
            result = effect()
        except ConditionFailed as found:
            self._note_refusal(call, author, found)
            raise
        except RecipientSuppressed:
            self.reached.add(Reached.SUPPRESSED)
            self.open(author.key).is_refused = True
            raise
        self._note_claim(call, author, before)
        self._note_act(call, author)
        self._note_result(call, author, result)
        with suppress(KeyError):
            self.reached.add(_turn_of(call, author, effect, before))
        return result

    def _note_claim(self, call: str, author: Author, before: Record | None) -> None:
        if call in CLAIMS:
            dossier = self.open(author.key)
            dossier.holder = author.owner
            dossier.holders.add(author.owner)
            if before and before.answer:
                dossier.informed.add(author.owner)
            dossier.claims_after_opt_out += self._has_opted_out(author.key)

    def _has_opted_out(self, key: RecordKey) -> bool:
        codes = (
            record.failure.code
            for record in self._table.records.values()
            if record.failure and record.key.primary_channel == key.primary_channel
        )
        return OPT_OUT in codes

    def _note_act(self, call: str, author: Author) -> None:
        dossier = self.open(author.key)
        is_write = call.startswith("conversations.") and call not in {
            "conversations.others",
            "conversations.record_sent",
        }
        has_lost = author.owner in dossier.holders and dossier.holder != author.owner
        if has_lost and (is_write or call == "sender.send"):
            dossier.acts_without_lease.append(call)

    def _note_result(self, call: str, author: Author, result: Any) -> None:
        dossier = self.open(author.key)
        if call == "sender.send":
            dossier.sids.append(result)
        elif call == "writer.write":
            dossier.asked_again += author.owner in dossier.informed
        elif call == "sender.find":
            if not set(dossier.sids) <= set(result):
                self.reached.add(Reached.NOT_LISTED)
            if set(result) - set(dossier.sids):
                self.reached.add(Reached.RIVALS)

    def _note_refusal(self, call: str, author: Author, found: ConditionFailed) -> None:
        dossier, entry = self.open(author.key), found.entry
        if entry is None:
            return
        if call == "conversations.create" and entry.status is Status.SENT:
            self.reached.add(Reached.SENT_ALREADY)
        elif call == "conversations.create" and entry.status is Status.PROCESSING:
            self.reached.add(Reached.BUSY)
        elif author.owner in dossier.holders and dossier.holder != author.owner:
            self.reached.add(Reached.FENCED_OFF)
        elif call == "conversations.begin_send" and entry.status is Status.PROCESSING:
            self.reached.add(Reached.LAPSED)


FAILURES = {
    "stalled_before_send": Reached.STALLED,
    "receives_used_up": Reached.LAST_RECEIVE,
}


def _turn_of(call: str, author: Author, effect: partial[Any], before: Record | None) -> Reached:
    """What an effect that took place has reached; KeyError if nothing of note."""
    if call == "conversations.take_over" and before:
        was_held = before.status is Status.PROCESSING
        return Reached.TAKEN_OVER if was_held else Reached.RETRIED
    if call == "conversations.record_sent" and before:
        return Reached.SENT if before.owner == author.owner else Reached.SETTLED
    if call == "conversations.record_failure":
        return FAILURES[effect.args[1].code]
    if call == "conversations.begin_send" and not (before and before.answer):
        raise KeyError(call)
    if call == "secrets.credentials" and not effect.keywords.get("fresh"):
        raise KeyError(call)
    return TURNS[call]


TURNS = {
    "conversations.renew": Reached.RENEWED,
    "conversations.declare_unknown": Reached.DECLARED_UNKNOWN,
    "conversations.begin_send": Reached.ANSWER_REUSED,
    "secrets.credentials": Reached.SECRET_READ_ANEW,
}
