"""Random schedules: their decisions are drawn from a seed, and many are run on every core."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from math import inf
from random import Random
from typing import Any, NamedTuple

from lambda_src.core.contract import HoldReason, Status
from ops.dlq.policy import RedriveDecision
from tests.faults.model._calls import CALL_FAULTS, SERVICES
from tests.faults.model._events import ALL_EVENT_FAULTS, CODES, EVENT_STOPS, FORGERIES
from tests.faults.model._system import KEYS, REVIEWED, Alter, unaltered
from tests.faults.model.model import (
    DEAD_LETTER,
    FIXED,
    STOPS,
    Model,
    Played,
    Problem,
    Schedule,
    Step,
    read,
    smallest,
    written,
)
from tests.faults.operator_decisions import DECISIONS, Decision
from tests.faults.report import OnProgress
from tests.faults.rules import Result, Violation

MAX_BUSY = 3
"""Containers that work at once."""
MAX_MESSAGES = 6
"""Messages that arrive in one schedule."""
MAX_CALLBACKS = 5
"""Callbacks that are drawn in one schedule; others may arrive at its end."""
FAULTS = [f"{call} {fault.name}" for call, faults in CALL_FAULTS.items() for fault in faults]
KINDS = (
    *("kill", "fault", "outage", "lag", "secret", "duplicate", "slow", "heartbeat"),
    *("callback", "draft"),
)
"""Kinds of trouble that a schedule may do without, so that it has more of the others."""

# A container is delayed past its lease, and another one gets its message.
OVERTAKEN = "wait 95; redeliver {worker}; run_to -1 {stop}"
# A container is delayed after its intent, until others have given that send up.
OUTLASTED = "run_to {worker} after:store.record_intent; wait 1000; redeliver {worker}; finish -1; "
OUTLASTED += "; ".join(f"operator {number}" for number in range(len(KEYS)))
# A container gets the next message, and is killed if it reconciles a send.
KILLED_RECONCILING = "wait_for_queue; deliver 1; kill_at -1 {stop}"
# A message is accepted, its answer is lost, and the vendor does not list it yet.
LOST = "lag; fail_at {worker} sender.send accepted-answer-lost; finish {worker}"
# The vendor reports a message, and an events worker gets that.
REPORTED = "report {which} {report}; post -1 {kept}; work 1"
# A callback comes before the answer to the send.
EARLY = "run_to {worker} after:sender.send; report -1 {report}; post -1 {kept}; work 1; work_on"
# Two operators look at the same draft, and both decide.
TWO_DECIDE = "show 0 {which}; show 1 {which}; decide 0 {decision} {killed}; decide 1 {other} 0"
# An operator decides about what they saw before the template changed, and another one approved it.
DECIDED_STALE = "show 0 {which}; show 1 {which}; change_template; decide 1 {decision} 0; "
DECIDED_STALE += "wait_for_queue; deliver 1; finish -1; decide 0 {other} 0"
# A worker is killed, or its write goes wrong, when it holds a draft or hands it off.
KILLED_HOLDING = "write_badly 2 {which}; wait_for_queue; deliver 1; kill_at -1 {stop}"
# How an events worker goes on: to the end, delayed, killed, or after a call that went wrong.
EVENT_ENDINGS = (
    *(4 * len(EVENT_STOPS) * ("work_on",)),
    *(f"work_to {stop}" for stop in EVENT_STOPS * 2),
    *(f"work_to {stop}; work_kill" for stop in EVENT_STOPS),
    *(f"work_fail {fault}; work_on" for fault in ALL_EVENT_FAULTS),
)

Drawn = Sequence[Any]
When = Callable[["RandomSchedule"], bool]
FLAG = (0, 1)
RECONCILING = [
    stop for stop in STOPS if stop.endswith(("sender.find", "store.count_lookup", "mark_unknown"))
]
HOLDING = [stop for stop in STOPS if stop.endswith(("reject_draft", "hold_draft", "hand_off.put"))]
DRAWN: dict[str, Drawn] = {
    "worker": range(MAX_BUSY),
    "turn": range(3),
    "which": range(10),
    # That may pass: within a send's delay, a send, a lease, all lookups, a visibility.
    "seconds": (1, 5, 20, 95, 400, 1000),
    "stop": STOPS,
    "fault": FAULTS,
    "conversation": range(len(KEYS) - 1),
    "service": SERVICES,
    "report": (*("sent", "delivered", "read") * 2, *CODES),
    "kept": FLAG,
    "ending": EVENT_ENDINGS,
    "person": FLAG,
    "decision": DECISIONS,
    "other": DECISIONS,
    "killed": FLAG,
}
"""What stands for a name in a move, unless the move has its own values."""


class Move(NamedTuple):
    """Some steps that can be done whenever something holds, and the values of their names."""

    steps: str
    when: When
    values: Mapping[str, Drawn]

    def drawn(self, random: Random) -> Schedule:
        """Return the steps with drawn values."""
        return read(self.steps.format(**{n: random.choice(v) for n, v in self.values.items()}))


def move(steps: str, when: When, **values: Drawn) -> Move:
    names = re.findall(r"{(\w+)}", steps)
    return Move(steps, when, {name: (DRAWN | values)[name] for name in names})


def working(kind: str = "") -> When:
    """Return whether a container is busy, in a schedule with that kind of trouble."""
    return lambda schedule: bool(schedule.model.busy) and kind not in schedule.lacks


def reporting(schedule: "RandomSchedule") -> bool:
    """Return whether a message can be reported, in a schedule with callbacks of its own."""
    is_sent = bool(schedule.model.reported_messages)
    return schedule.may_report and is_sent and "callback" not in schedule.lacks


def drafting(*statuses: Status) -> When:
    """Return whether a record has such a status, in a schedule with held drafts."""
    return lambda schedule: "draft" not in schedule.lacks and schedule.has(*statuses)


def faults_of(service: str) -> Drawn:
    """Return each call of a service with what can go wrong with it."""
    return [fault for fault in FAULTS if fault.startswith(service)]


MOVES = (
    move("arrive {conversation}", lambda m: m.may_arrive),
    move(
        "deliver {most}",
        lambda m: m.may_begin and bool(m.model.queue.visible),
        most=range(1, 3),
    ),
    move("wait_for_queue", lambda m: bool(m.model.queue.on_queue) and not m.model.queue.visible),
    move(
        "wait {seconds}",
        lambda m: not (m.model.busy or m.model.queue.on_queue or m.may_arrive),
    ),
    move("redrive {which}", lambda m: bool(m.model.queue.dead)),
    move(
        "operator {conversation}",
        lambda m: (
            m.has(Status.SEND_UNKNOWN, Status.FAILED)
            or (bool(m.model.queue.dead) and m.has(Status.AWAITING_APPROVAL))
        ),
    ),
    move("advance {worker} {turn} {pieces}", working(), pieces=(1,)),
    move("advance {worker} {turn} {pieces}", working(), pieces=range(1, 13)),
    move("run_to {worker} {stop}", working()),
    move("finish {worker}", working()),
    move("duplicate {which}", working("duplicate")),
    move("redeliver {worker}; run_to -1 {stop}", working("duplicate")),
    move("wait {seconds}", working("slow")),
    move(OVERTAKEN, working("slow")),
    move(OUTLASTED, working("slow")),
    move("heartbeat {worker} {pieces}", working("heartbeat"), pieces=range(9)),
    move("hang {worker}", working("heartbeat")),
    move("kill {worker}", working("kill")),
    move("kill_at {worker} {stop}", working("kill")),
    move(
        KILLED_RECONCILING,
        lambda m: m.has(Status.SENDING) and m.may_begin and "kill" not in m.lacks,
        stop=RECONCILING,
    ),
    move("fail {worker} {turn} {which}", working("fault")),
    move("fail_at {worker} {fault}", working("fault")),
    move("fail_at {worker} {fault}", working("fault"), fault=faults_of("store")),
    move("fail_at {worker} {fault}", working("fault"), fault=faults_of("sender.send")),
    move(
        "fail_at {worker} {fault}; finish {worker}",
        working("fault"),
        fault=faults_of("store.record_sent"),
    ),
    move("apply_late {which}", lambda m: bool(m.model.late)),
    move("outage {service} {calls}", working("outage"), calls=range(1, 7)),
    move(LOST, working("lag")),
    move("catch_up", lambda m: m.model.sender.listed_until < inf),
    move("foreign_message", working("lag")),
    move("change_token", working("secret")),
    move("change_key", working("secret")),
    move("fix_secrets", lambda m: not m.model.are_secrets_right),
    move("report {which} {report}", reporting),
    move(f"{REPORTED}; {{ending}}", reporting),
    move(EARLY, lambda m: m.may_report and working("callback")(m)),
    move(
        "post {which} {kept}; work 2; work_on",
        lambda m: bool(m.model.reports) and m.may_report,
    ),
    move("work_on", lambda m: bool(m.model.at_events)),
    move(
        "forge {which} {kind} {report}; work 1; work_on",
        reporting,
        kind=range(len(FORGERIES)),
    ),
    move(
        "wait 3700; schedule; work 10; {ending}",
        lambda m: m.may_report and m.has(Status.SENT) and not m.model.busy,
    ),
    move(f"arrive {KEYS.index(REVIEWED)}", lambda m: m.may_arrive and "draft" not in m.lacks),
    move(
        "write_badly {answers} {flaw}",
        lambda m: "draft" not in m.lacks and not m.model.generator.flaws,
        answers=(1, 2, 2, 4),
        flaw=(0, 0, 0, 1),
    ),
    move(
        "old_record {conversation} {is_bad}",
        lambda m: "draft" not in m.lacks and m.may_arrive,
        is_bad=FLAG,
    ),
    move(
        KILLED_HOLDING,
        lambda m: m.may_begin and bool(m.model.queue.on_queue) and not {"draft", "kill"} & m.lacks,
        stop=HOLDING,
    ),
    move(
        "show {person} {which}; decide {person} {decision} {killed}",
        drafting(Status.AWAITING_APPROVAL),
    ),
    move("decide {person} {decision} {killed}", lambda m: bool(m.model.shown)),
    move(TWO_DECIDE, drafting(Status.AWAITING_APPROVAL)),
    move(DECIDED_STALE, drafting(Status.AWAITING_APPROVAL)),
    move("change_template", drafting(Status.AWAITING_APPROVAL, Status.RETRY)),
    move("expire", lambda m: bool(m.model.hand_off.copies)),
    move("repeat {person}", lambda m: m.model.has_approved),
    move(
        "wait 601; queue_approved {loses_answer}",
        lambda m: m.model.has_approved,
        loses_answer=FLAG,
    ),
)


class RandomSchedule:
    """One schedule, whose decisions are drawn while it is run."""

    model: Model
    lacks: set[str]

    def __init__(self, random: Random, alter: Alter) -> None:
        self.model = Model(alter)
        self.steps: list[Step] = []
        self.lacks = {kind for kind in KINDS if random.choice(FLAG)}
        self._random = random

    def run(self) -> Problem | None:
        """Run it to its end, and return the problem that ended it before."""
        draw = self._random.choice
        flags = [draw(FLAG), draw(FLAG), draw(FLAG), draw((1, 1, 1, 0)), draw((*7 * (0,), 1))]
        try:
            self._do(Step("begin", (draw((10, 5, 3, 2)), *flags)))
            for _ in range(STEPS):
                for step in draw([one for one in MOVES if one.when(self)]).drawn(self._random):
                    self._do(step)
            self.model.come_to_rest()
        except Problem as problem:
            return problem
        finally:
            self.model.close()
        return None

    def _do(self, step: Step) -> None:
        self.steps.append(step)
        self.model.do(step)

    @property
    def may_report(self) -> bool:
        return len(self.model.events_queue.messages) + len(self.model.reports) < MAX_CALLBACKS

    @property
    def may_arrive(self) -> bool:
        return len(self.model.queue.messages) < MAX_MESSAGES

    @property
    def may_begin(self) -> bool:
        return len(self.model.busy) < MAX_BUSY

    def has(self, *statuses: Status) -> bool:
        return any(record.status in statuses for record in self.model.store.records.values())


TO_REACH = (
    *(name.removeprefix("do_") for name in dir(Model) if name.startswith("do_")),
    *("a batch timed out", DEAD_LETTER, FIXED, Decision.RELEASED, Decision.RECORDED),
    *(f"held: {reason}" for reason in HoldReason),
    *(f"draft: {decision}" for decision in DECISIONS),
    *(
        f"dead letter of a draft: {decision}"
        for decision in (RedriveDecision.HELD, RedriveDecision.REJECTED_BY_OPERATOR)
    ),
    *("failed: receives_used_up", "failed: stalled_before_send"),
    *(f"store.create refused: {status}" for status in Status),
    *("store.record_intent refused: processing", "store.record_sent refused: initial_message_sent"),
    "store.record_delivery refused: initial_message_sent",
    *(f"no record → {status}" for status in ("processing", "failed")),
    *(f"processing → {status}" for status in ("sending", "retry", "awaiting_approval")),
    *(f"sending → {status}" for status in ("initial_message_sent", "retry", "send_unknown")),
    *(f"send_unknown → {status}" for status in ("initial_message_sent", "retry")),
    *(f"awaiting_approval → {status}" for status in ("retry", "failed")),
    *("retry → processing", "failed → retry"),
)
"""What a thousand random schedules must reach: else they do not test what they are meant to."""
SHARD = 100
"""Schedules that are drawn from one seed, one after another."""
STEPS = 40
"""Decisions of a schedule; moves of several steps count as one."""
OPERATOR = "an operator was needed"


class Shard(NamedTuple):
    """The schedules of one seed that kept the promise, and the one that did not."""

    violations: tuple[Violation, ...]
    schedules: int
    steps: int
    reached: Counter[str]


def run(pool: Executor, schedules: int, seed: int, on_progress: OnProgress) -> Result:
    """Run that many schedules, or a few more."""
    seeds, shards = range(seed, seed + -(-schedules // SHARD)), list[Shard]()
    for shard in as_completed([pool.submit(run_shard, one) for one in seeds]):
        shards.append(shard.result())
        on_progress(len(shards), len(seeds))
    done, steps = sum(shard.schedules for shard in shards), sum(shard.steps for shard in shards)
    reached = sum((shard.reached for shard in shards), Counter[str]())
    return Result(
        violations=tuple(violation for shard in shards for violation in shard.violations),
        size=f"{done:,} schedules, {steps:,} steps",
        operator_needed=reached[OPERATOR],
        happened={what: reached[what] for what in TO_REACH},
    )


def run_shard(seed: int, alter: Alter = unaltered) -> Shard:
    """Run the schedules of one seed, up to the first that breaks a rule."""
    random, reached = Random(seed), Counter[str]()  # noqa: S311 - repeatable, no cryptography
    steps = 0
    for number in range(SHARD):
        schedule = RandomSchedule(random, alter)
        if problem := schedule.run():
            found = _violation(seed, tuple(schedule.steps), problem, alter)
            return Shard((found,), number, steps, reached)
        steps += len(schedule.steps)
        seen = schedule.model.observer.reached
        is_decided = not seen.isdisjoint({Decision.RELEASED, Decision.RECORDED})
        reached.update(seen | ({OPERATOR} if is_decided else set()))
    return Shard((), SHARD, steps, reached)


def _violation(seed: int, schedule: Schedule, problem: Problem, alter: Alter) -> Violation:
    def shows(shorter: Schedule) -> bool:
        found = Played(shorter, alter).problem
        return found is not None and (
            (found.rules, found.is_unresolved) == (problem.rules, problem.is_unresolved)
        )

    small = smallest(schedule, shows)
    return Violation(
        subject=f"a schedule of seed {seed}",
        rules=problem.rules,
        what=str(Played(small, alter).problem),
        is_unresolved=problem.is_unresolved,
        replay=f"python -m tests.faults schedules --replay {written(small)!r}",
    )
