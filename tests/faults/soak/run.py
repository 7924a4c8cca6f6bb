"""A soak: several hundred messages through the local cloud while everything fails."""

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from lambda_src.core.contract import LogEvent, Status
from local import paths
from local.cloud import LocalCloud
from local.vendors import FakeVendors
from tests.faults.operator_decisions import (
    Decision,
    DynamoDBOperatorTable,
    Operator,
    should_redrive,
)
from tests.faults.rules import Location, Result, Violation
from tests.faults.soak.evidence import (
    Facts,
    FunctionLog,
    alarm_facts,
    collect,
    reconcile,
    silent_alarms,
)
from tests.faults.soak.faults import TOO_LATE, FaultInjection, FunctionProcesses
from tests.faults.soak.plan import (
    CONCURRENCY,
    Arrival,
    Plan,
    ProcessFault,
    mapping_paused,
    shorten_times,
)
from tests.faults.soak.queues import MAX_BATCH, SoakQueues

POLL_SECONDS = 0.5
QUIET_SECONDS = TOO_LATE + 2
"""After so long without a message on the queue, neither a worker nor a vendor is at work."""
TIMEOUT_SECONDS = 400.0
OPERATOR_ROUNDS = 4
LATE_DUPLICATES = CONCURRENCY * MAX_BATCH
"""A whole batch for each process, so that each also writes out its last log lines."""


@dataclass(frozen=True, kw_only=True)
class SoakResult(Result):
    """Counts; the seed and the number of messages are what repeats a soak."""

    seed: int
    messages: int
    arrivals: int = 0  # with duplicates, but not what was redriven
    duplicates: int = 0
    sent: int = 0
    refused: int = 0
    kills: int = 0
    freezes: int = 0
    interrupted: int = 0  # invocations whose process died in the middle of a batch
    cut_short: int = 0  # invocations whose process died before the batch began
    faults: Mapping[str, int] = field(default_factory=dict)
    takeovers: int = 0
    reconciled: int = 0
    unknown: int = 0
    recorded_by_operator: int = 0
    released_by_operator: int = 0
    dead_letters: int = 0
    dead_without_reason: int = 0  # of these, those whose record has no failure
    redriven: int = 0
    critical: Mapping[str, int] = field(default_factory=dict)


class Snapshot(NamedTuple):
    """Every conversation at one moment (epoch seconds) at which no worker is at any."""

    at: float
    facts: list[Facts]


class Soak:
    """A soak through a local cloud that nothing else uses."""

    def __init__(
        self,
        cloud: LocalCloud,
        vendors: FakeVendors,
        plan: Plan,
        on_progress: Callable[[int, int], None],
    ) -> None:
        resources = cloud.resources
        self._cloud = cloud
        self._vendors = vendors
        self._plan = plan
        self._on_progress = on_progress
        self._queues = SoakQueues(
            cloud.aws.sqs, resources.queue_url, resources.dead_letter_queue_url
        )
        port = urlsplit(cloud.aws.endpoint).port or 0
        self.processes = FunctionProcesses(cloud.ministack.pid, port)
        self.injection = FaultInjection(plan, self.processes, vendors, cloud.dynamodb_proxy)
        self.operator = Operator(DynamoDBOperatorTable(cloud.aws.dynamodb, resources.table))
        self.redriven = 0

    def run(self) -> list[Snapshot]:
        """Run it, and return every rest; the last one is final.

        Raises:
            NotAtRestError: Messages stayed on the queue for minutes after the last fault.
        """
        with self.injection.running():
            self._put(self._plan.arrivals)
            while (count := self._queues.count()) and not self.injection.is_over:
                self._tell(count)
                time.sleep(POLL_SECONDS)
        rests = [self._rest()]
        while self._let_operator_act(rests[-1].facts) and len(rests) < OPERATOR_ROUNDS:
            rests.append(self._rest())
        self._put(self._late_duplicates(rests[-1].facts), is_tracked=False)
        return [*rests, self._rest()]

    def _put(self, arrivals: Sequence[Arrival], *, is_tracked: bool = True) -> None:
        with mapping_paused(self._cloud):
            self._queues.put(arrivals, is_tracked=is_tracked)

    def _rest(self) -> Snapshot:
        self._queues.await_rest(quiet=QUIET_SECONDS, timeout=TIMEOUT_SECONDS, tell=self._tell)
        now, releases = time.time(), self.operator.releases
        conversations = self._plan.conversations
        facts = collect(self._cloud, self._vendors, self._queues, conversations, releases)
        return Snapshot(now, facts)

    def _let_operator_act(self, facts: Sequence[Facts]) -> int:
        """Let the operator decide every open send, then redrive; return how many were redriven."""
        unknown = [
            one for one in facts if one.record.get("conversation_status") == Status.SEND_UNKNOWN
        ]
        for one in unknown:
            self.operator.decide(one.key, one.sids[-1] if one.sids else "", time.time())
        again = {
            one.key.conversation_id for one in facts if should_redrive(one.evidence(is_final=False))
        }
        with mapping_paused(self._cloud):
            redriven = self._queues.redrive(again)
        self.redriven += redriven
        return redriven

    def _late_duplicates(self, facts: Iterable[Facts]) -> list[Arrival]:
        sent = {one.key for one in facts if one.sids}
        again = [one for one in self._plan.conversations if one.key in sent]
        repeated = itertools.islice(itertools.cycle(again), LATE_DUPLICATES)
        return [Arrival(conversation, 0, is_duplicate=True) for conversation in repeated]

    def _tell(self, count: int) -> None:
        arrivals = len(self._plan.arrivals)
        self._on_progress(max(0, arrivals - count), arrivals)


def run(messages: int, seed: int, on_progress: Callable[[int, int], None]) -> SoakResult:
    """Run a soak of so many conversations, whose plan the seed decides, and leave nothing behind.

    Raises:
        NotAtRestError: Messages stayed on the queue for minutes after the last fault.
        LocalCloudError: The local cloud did not start, or ended.
        ValueError: There cannot be so many messages.
    """
    plan, vendors = Plan.drawn(messages, seed), FakeVendors()
    with LocalCloud(vendors, workdir=paths.CACHE / "soak") as cloud:
        shorten_times(cloud)
        soak = Soak(cloud, vendors, plan, on_progress)
        rests = soak.run()
        log = FunctionLog(cloud.channel.log())
        critical = sorted(log.critical().items())
        alarms = [alarm_facts(cloud, event, lines) for event, lines in critical]
    return _result(plan, soak, rests, log, silent_alarms(alarms))


def _result(
    plan: Plan,
    soak: Soak,
    rests: Sequence[Snapshot],
    log: FunctionLog,
    silent: Iterable[Violation],
) -> SoakResult:
    final, counts, decisions = log.completed(rests[-1].facts), log.counts(), soak.operator.decisions
    all_facts = [one for rest in rests for one in rest.facts]
    interrupted, cut_short = log.interrupted()
    dead = sum(location is Location.DEAD for one in final for location in one.messages.values())
    return SoakResult(
        violations=(*_violations(rests, final, log), *silent),
        seed=plan.seed,
        messages=len(plan.conversations),
        arrivals=len(plan.arrivals),
        duplicates=sum(arrival.is_duplicate for arrival in plan.arrivals),
        sent=sum(bool(one.sids) for one in final),
        refused=sum(one.record.get("conversation_status") == Status.FAILED for one in final),
        kills=soak.processes.injected[ProcessFault.KILL],
        freezes=soak.processes.injected[ProcessFault.FREEZE],
        interrupted=interrupted,
        cut_short=cut_short,
        faults=soak.injection.counts(),
        takeovers=sum(write.from_expired for one in final for write in one.writes),
        reconciled=counts[LogEvent.SEND_SETTLED],
        unknown=counts[LogEvent.SEND_OUTCOME_UNKNOWN],
        recorded_by_operator=decisions[Decision.RECORDED],
        released_by_operator=decisions[Decision.RELEASED],
        dead_letters=dead + soak.redriven,
        dead_without_reason=sum(map(_is_dead_without_reason, all_facts)),
        redriven=soak.redriven,
        critical={event: len(lines) for event, lines in log.critical().items()},
    )


def _violations(
    rests: Sequence[Snapshot], final: Sequence[Facts], log: FunctionLog
) -> Iterable[Violation]:
    """Return the violations at any rest and at the end, each once."""
    found = [
        violation
        for rest in rests
        for violation in reconcile(log.completed(rest.facts, rest.at), is_final=False)
    ]
    found += reconcile(final, is_final=True)
    return {(one.subject, one.rules, one.is_unresolved): one for one in found}.values()


def _is_dead_without_reason(facts: Facts) -> bool:
    evidence = facts.evidence(is_final=False)
    return Location.DEAD in evidence.locations and not evidence.failure_code and not facts.sids
