"""Judging every conversation of a schedule by the six rules."""

from collections.abc import Sequence

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from tests.faults.rules import Evidence, Rule, broken_rules
from tests.faults.schedules.container import Container
from tests.faults.schedules.surroundings import Surroundings
from tests.faults.schedules.twins import recorded_sid


class Problem(AssertionError):
    """The promise is broken; `rules` tells which."""

    rules: tuple[Rule, ...] = ()


class RuleBroken(Problem):
    """Rules are broken for one conversation, and the evidence shows it."""

    def __init__(self, rules: tuple[Rule, ...], evidence: Evidence) -> None:
        super().__init__(f"{', '.join(rules)}: {evidence}")
        self.rules = rules


class Unresolved(Problem):
    """A conversation ended without a record of its outcome, and nobody would hear of it."""

    rules = (Rule.RECORD_IS_TRUE,)


class NeverAtRest(Problem):
    """Every fault has passed, and still messages come and go, and are not sent."""

    rules = (Rule.SENT_IN_THE_END,)


def judge(world: Surroundings, containers: Sequence[Container], *, is_over: bool = False) -> None:
    """Judge every conversation, at this moment.

    Raises:
        RuleBroken: By the first conversation that breaks a rule.
    """
    for key in world.witness.dossiers:
        evidence = evidence_of(key, world, containers, is_over=is_over)
        if rules := broken_rules(evidence):
            raise RuleBroken(rules, evidence)


def evidence_of(
    key: RecordKey, world: Surroundings, containers: Sequence[Container], *, is_over: bool
) -> Evidence:
    """What the world shows of a conversation.

    No release is counted: the person of these schedules releases only what was not sent.
    """
    dossier, record = world.witness.open(key), world.table.records.get(key)
    status = record.status if record else None
    return Evidence(
        sids=tuple(dossier.sids),
        places=tuple(world.sqs.place(m) for m in world.sqs.messages if m.key == key),
        status=status,
        recorded_sid=recorded_sid(key, world),
        is_alarmed=dossier.is_alarmed(status),
        asked_again=dossier.asked_again,
        acts_without_lease=tuple(dossier.acts_without_lease),
        is_at_rest=not _is_being_worked_on(key, containers),
        is_over=is_over,
        is_refused=dossier.is_refused,
    )


def judge_rest(world: Surroundings) -> None:
    """See to it that somebody knows of every conversation that changes no more by itself.

    Raises:
        Unresolved: A conversation is neither sent nor refused, nor would anybody hear of it.
    """
    for key, dossier in world.witness.dossiers.items():
        record = world.table.records.get(key)
        status = record.status if record else None
        is_dead = key in {message.key for message in world.sqs.dead}
        if not (status in {Status.SENT, Status.FAILED} or dossier.is_alarmed(status) or is_dead):
            raise Unresolved(f"{key.conversation_id} ended as {status}")


def _is_being_worked_on(key: RecordKey, containers: Sequence[Container]) -> bool:
    return any(key in {a.key for a in container.authors} for container in containers)
