"""Judging every conversation of a schedule by the six rules."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Judge:
    """Judges conversations as they stand; raises by the first that breaks a rule."""

    world: Surroundings
    containers: Sequence[Container]

    def judge_all(self, *, is_over: bool = False) -> None:
        """Judge every conversation, at this moment.

        Raises:
            RuleBroken: A conversation breaks a rule.
        """
        for key in self.world.witness.dossiers:
            self.judge(key, is_over=is_over)

    def judge(self, key: RecordKey, *, is_over: bool = False) -> None:
        """Judge one conversation.

        Raises:
            RuleBroken: It breaks a rule.
        """
        evidence = self._evidence_of(key, is_over=is_over)
        if rules := broken_rules(evidence):
            raise RuleBroken(rules, evidence)

    def judge_rest(self) -> None:
        """See to it that somebody knows of every conversation that changes no more by itself.

        Raises:
            Unresolved: A conversation is neither sent nor refused, nor would anybody hear of it.
        """
        dead = {message.key for message in self.world.sqs.dead}
        for key, dossier in self.world.witness.dossiers.items():
            status = self._status_of(key)
            is_known = status in {Status.SENT, Status.FAILED} or dossier.is_alarmed(status)
            if not (is_known or key in dead):
                raise Unresolved(f"{key.conversation_id} ended as {status}")

    def _evidence_of(self, key: RecordKey, *, is_over: bool) -> Evidence:
        # No release is counted: the person of these schedules releases only what was not sent.
        world, dossier, status = self.world, self.world.witness.open(key), self._status_of(key)
        is_worked_on = any(container.is_at(key) for container in self.containers)
        return Evidence(
            sids=tuple(dossier.sids),
            places=tuple(world.sqs.place(m) for m in world.sqs.messages if m.key == key),
            status=status,
            recorded_sid=recorded_sid(key, world),
            is_alarmed=dossier.is_alarmed(status),
            asked_again=dossier.asked_again,
            acts_without_lease=tuple(dossier.acts_without_lease),
            claims_after_opt_out=dossier.claims_after_opt_out,
            is_at_rest=not is_worked_on,
            is_over=is_over,
            is_refused=dossier.is_refused,
        )

    def _status_of(self, key: RecordKey) -> str | None:
        record = self.world.table.records.get(key)
        return record.status if record else None
