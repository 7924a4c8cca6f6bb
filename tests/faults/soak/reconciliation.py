"""Judges what a soak leaves behind: one conversation after the other, then the alarms."""

from collections.abc import Iterable
from dataclasses import dataclass

from lambda_src.core.contract import LogEvent, Status
from tests.faults.rules import Evidence, Place, Rule, broken_rules
from tests.faults.soak.facts import AlarmFacts, Facts
from tests.faults.soak.ledger_writes import acts_without_lease, asked_again
from tests.faults.soak.plan import Fate

OPEN_SENDS = frozenset({LogEvent.SEND_OUTCOME_UNKNOWN, LogEvent.FINAL_DB_UPDATE_FAILED})
"""Events that call a person about a message which may be on the phone."""


@dataclass(frozen=True)
class Violation:
    """Something that must not be.

    Attributes:
        subject: a conversation's id, or an alarm's event.
        rules: which rules are broken.
        what: the evidence, without personal data.
        is_unresolved: it is over, but neither settled, nor alarmed, nor a dead letter with its
            reason in the record.
    """

    subject: str
    rules: tuple[Rule, ...]
    what: str
    is_unresolved: bool = False


def reconcile(conversations: Iterable[Facts], *, is_over: bool) -> list[Violation]:
    """Judge every conversation by the six rules.

    Args:
        conversations: as they are at rest, nothing being under way.
        is_over: whether, besides, dead letters were redriven and unknown sends decided.
    """
    violations = []
    for facts in conversations:
        evidence = _evidence(facts, is_over=is_over)
        rules, is_unresolved = _broken(evidence, facts), is_over and _is_unresolved(facts)
        if rules or is_unresolved:
            unsaid = f"unacknowledged={facts.unacknowledged}, reason={facts.reason!r}"
            what = f"{evidence}, {unsaid}, to be {facts.fate}"
            violations.append(Violation(facts.conversation_id, rules, what, is_unresolved))
    return violations


def silent_alarms(alarms: Iterable[AlarmFacts]) -> list[Violation]:
    """Judge whether everybody was told who subscribed to what the lines at CRITICAL set off."""
    return [
        Violation(facts.event, (Rule.RECORD_IS_TRUE,), f"nobody was called: {facts}")
        for facts in alarms
        if facts.counted < facts.lines or not facts.notified
    ]


def _broken(evidence: Evidence, facts: Facts) -> tuple[Rule, ...]:
    """The rules broken by the conversation as a whole, or by one of its queue messages."""
    rules = set(broken_rules(evidence))
    if facts.unacknowledged:
        rules.add(Rule.DELETED_ONLY_IF_SENT)
    return tuple(rule for rule in Rule if rule in rules)


def _evidence(facts: Facts, *, is_over: bool) -> Evidence:
    return Evidence(
        sids=facts.sids,
        places=facts.places,
        status=facts.status,
        recorded_sid=str(facts.record.get("message_sid", "")),
        is_alarmed=_is_alarmed(facts),
        releases=facts.releases,
        asked_again=asked_again(facts.writes, facts.asks),
        acts_without_lease=acts_without_lease(facts.writes, facts.sends),
        is_over=is_over,
        is_refused=facts.fate is not Fate.SENT,
    )


def _is_unresolved(facts: Facts) -> bool:
    is_dead_with_reason = Place.DEAD in facts.places and bool(facts.reason)
    return not (facts.status == Status.SENT or _is_alarmed(facts) or is_dead_with_reason)


def _is_alarmed(facts: Facts) -> bool:
    if facts.status == Status.SEND_UNKNOWN:
        return LogEvent.SEND_OUTCOME_UNKNOWN in facts.critical
    return bool(OPEN_SENDS.intersection(facts.critical))
