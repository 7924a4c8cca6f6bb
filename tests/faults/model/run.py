"""The Hypothesis state machine that draws schedules, and runs of many schedules on every core."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field, fields
from math import inf
from typing import Any, ClassVar, NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lambda_src.core.contract import Status
from tests.faults.model._calls import CALL_FAULTS, SERVICES
from tests.faults.model._events import ALL_EVENT_FAULTS, CODES, EVENT_STOPS, FORGERIES
from tests.faults.model._system import KEYS, REVIEWED, Alter, unaltered
from tests.faults.model.model import STOPS, Model, Played, Problem, smallest
from tests.faults.model.schedules import (
    Schedule,
    Situation,
    Step,
    read,
    without_callbacks,
    written,
)
from tests.faults.operator_decisions import DECISIONS
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

Drawn = st.SearchStrategy[Any]
When = Callable[["Schedules"], bool]
flag = st.integers(0, 1)
reconciling = st.sampled_from(
    [stop for stop in STOPS if stop.endswith(("sender.find", "store.count_lookup", "mark_unknown"))]
)
holding = st.sampled_from(
    [stop for stop in STOPS if stop.endswith(("reject_draft", "hold_draft", "hand_off.put"))]
)
decision = st.sampled_from(DECISIONS)
DRAWN: dict[str, Drawn] = {
    "worker": st.integers(0, MAX_BUSY - 1),
    "turn": st.integers(0, 2),
    "which": st.integers(0, 9),
    # That may pass: within a send's delay, a send, a lease, all lookups, a visibility.
    "seconds": st.sampled_from((1, 5, 20, 95, 400, 1000)),
    "stop": st.sampled_from(STOPS),
    "fault": st.sampled_from(FAULTS),
    "conversation": st.integers(0, len(KEYS) - 2),
    "service": st.sampled_from(SERVICES),
    "report": st.sampled_from((*("sent", "delivered", "read") * 2, *CODES)),
    "kept": flag,
    "ending": st.sampled_from(EVENT_ENDINGS),
    "person": flag,
    "decision": decision,
    "other": decision,
    "killed": flag,
}
"""What stands for a name in a move, unless the move has another strategy."""


def move(steps: str, when: When, **drawn: Drawn) -> Any:
    """Return a Hypothesis rule that does some steps, whenever something holds.

    All rules have one name for Hypothesis, which disables rules by name in most runs: without
    deliveries there would be no schedule. `KINDS` disable what goes wrong.
    """
    names = re.findall(r"{(\w+)}", steps)

    def step(machine: "Schedules", **values: Any) -> None:
        for made in read(steps.format(**values)):
            machine.do(made)

    a_rule: Any = rule  # its overloads do not know keywords that are not known by name
    return precondition(when)(a_rule(**{name: (DRAWN | drawn)[name] for name in names})(step))


def working(kind: str = "") -> When:
    """Return whether a container is busy, in a schedule with that kind of trouble."""
    return lambda machine: bool(machine.model.busy) and kind not in machine.lacks


def reporting() -> When:
    """Return whether a message can be reported, in a schedule with callbacks of its own."""
    return lambda machine: (
        machine._may_report
        and bool(machine.model.reported_messages)
        and "callback" not in machine.lacks
    )


def drafting(*statuses: Status) -> When:
    """Return whether a record has such a status, in a schedule with held drafts."""
    return lambda machine: "draft" not in machine.lacks and machine._has(*statuses)


def faults_of(service: str) -> Drawn:
    """Draw a call of a service, and what goes wrong with it."""
    return st.sampled_from([fault for fault in FAULTS if fault.startswith(service)])


class Ended(NamedTuple):
    """A schedule that kept the promise: its steps, and what it reached with and without callbacks.

    They are the same if the callbacks changed nothing but delivery statuses.
    """

    steps: int
    reached: set[Situation]
    without: set[Situation]


DECIDED = frozenset({Situation.RELEASED, Situation.RECORDED_BY_OPERATOR})
OPERATOR = "an operator was needed"
CHANGED_BY_CALLBACKS = frozenset({
    Situation.PROVEN, Situation.PROVEN_EARLY, Situation.PROVEN_UNKNOWN, Situation.OPTED_OUT_LATE,
})  # fmt: skip
"""A callback or a lookup changed more than a delivery status."""


class Schedules(RuleBasedStateMachine):
    """One instance is one schedule; a subclass has `alter`, and what its schedules found.

    Attributes:
        ended: The schedules that kept the promise.
        broken: The schedule that did not, and how: the last one.
    """

    alter: ClassVar[Alter]
    ended: ClassVar[list[Ended]]
    broken: ClassVar[tuple[Schedule, Problem] | None] = None

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(type(self).alter)
        self.steps: list[Step] = []
        self.lacks: set[str] = set()
        self._is_broken = False

    @initialize(
        receives=st.sampled_from((10, 5, 3, 2)),
        is_original=flag,
        is_ai_slow=flag,
        is_late_last=flag,
        callbacks=st.sampled_from((1, 1, 1, 0)),
        is_report_only=st.sampled_from((*7 * (0,), 1)),
        lacking=st.integers(0, 2 ** len(KINDS) - 1),
    )
    def begin(self, lacking: int, **settings: int) -> None:
        """Draw the schedule's settings."""
        self.lacks = {kind for number, kind in enumerate(KINDS) if lacking >> number & 1}
        names = ["receives", "is_original", "is_ai_slow", "is_late_last"]
        names += ["callbacks", "is_report_only"]
        self.do(Step("begin", tuple(settings[name] for name in names)))

    arrive = move("arrive {conversation}", lambda m: m._may_arrive)
    deliver = move(
        "deliver {most}",
        lambda m: m._may_begin and bool(m.model.queue.visible),
        most=st.integers(1, 2),
    )
    wait_for_queue = move(
        "wait_for_queue", lambda m: bool(m.model.queue.on_queue) and not m.model.queue.visible
    )
    idle = move(
        "wait {seconds}",
        lambda m: not (m.model.busy or m.model.queue.on_queue or m._may_arrive),
    )
    redrive = move("redrive {which}", lambda m: bool(m.model.queue.dead))
    operator = move(
        "operator {conversation}",
        lambda m: (
            m._has(Status.SEND_UNKNOWN, Status.FAILED)
            or (bool(m.model.queue.dead) and m._has(Status.AWAITING_APPROVAL))
        ),
    )

    advance_one = move("advance {worker} {turn} {pieces}", working(), pieces=st.just(1))
    advance = move("advance {worker} {turn} {pieces}", working(), pieces=st.integers(1, 12))
    run_to = move("run_to {worker} {stop}", working())
    finish = move("finish {worker}", working())

    duplicate = move("duplicate {which}", working("duplicate"))
    race = move("redeliver {worker}; run_to -1 {stop}", working("duplicate"))
    wait = move("wait {seconds}", working("slow"))
    overtake = move(OVERTAKEN, working("slow"))
    outlast = move(OUTLASTED, working("slow"))
    heartbeat = move("heartbeat {worker} {pieces}", working("heartbeat"), pieces=st.integers(0, 8))
    hang = move("hang {worker}", working("heartbeat"))

    kill = move("kill {worker}", working("kill"))
    kill_at = move("kill_at {worker} {stop}", working("kill"))
    kill_reconciling = move(
        KILLED_RECONCILING,
        lambda m: m._has(Status.SENDING) and m._may_begin and "kill" not in m.lacks,
        stop=reconciling,
    )
    fail = move("fail {worker} {turn} {which}", working("fault"))
    fail_any = move("fail_at {worker} {fault}", working("fault"))
    fail_store = move("fail_at {worker} {fault}", working("fault"), fault=faults_of("store"))
    fail_send = move("fail_at {worker} {fault}", working("fault"), fault=faults_of("sender.send"))
    fail_record = move(
        "fail_at {worker} {fault}; finish {worker}",
        working("fault"),
        fault=faults_of("store.record_sent"),
    )
    apply_late = move("apply_late {which}", lambda m: bool(m.model.late))

    outage = move("outage {service} {calls}", working("outage"), calls=st.integers(1, 6))
    lose = move(LOST, working("lag"))
    catch_up = move("catch_up", lambda m: m.model.sender.listed_until < inf)
    foreign_message = move("foreign_message", working("lag"))
    change_token = move("change_token", working("secret"))
    change_key = move("change_key", working("secret"))
    fix_secrets = move("fix_secrets", lambda m: not m.model.are_secrets_right)

    report = move("report {which} {report}", reporting())
    record_report = move(f"{REPORTED}; {{ending}}", reporting())
    early = move(EARLY, lambda m: m._may_report and working("callback")(m))
    post = move(
        "post {which} {kept}; work 2; work_on",
        lambda m: bool(m.model.reports) and m._may_report,
    )
    work_on = move("work_on", lambda m: bool(m.model.at_events))
    forge = move(
        "forge {which} {kind} {report}; work 1; work_on",
        reporting(),
        kind=st.integers(0, len(FORGERIES) - 1),
    )

    look_up = move(
        "wait 3700; schedule; work 10; {ending}",
        lambda m: m._may_report and m._has(Status.SENT) and not m.model.busy,
    )

    arrive_for_review = move(
        f"arrive {KEYS.index(REVIEWED)}", lambda m: m._may_arrive and "draft" not in m.lacks
    )
    write_badly = move(
        "write_badly {answers} {flaw}",
        lambda m: "draft" not in m.lacks and not m.model.generator.flaws,
        answers=st.sampled_from((1, 2, 2, 4)),
        flaw=st.sampled_from((0, 0, 0, 1)),
    )
    old_record = move(
        "old_record {conversation} {is_bad}",
        lambda m: "draft" not in m.lacks and m._may_arrive,
        is_bad=flag,
    )
    kill_holding = move(
        KILLED_HOLDING,
        lambda m: m._may_begin and bool(m.model.queue.on_queue) and not {"draft", "kill"} & m.lacks,
        stop=holding,
    )
    decide_shown = move(
        "show {person} {which}; decide {person} {decision} {killed}",
        drafting(Status.AWAITING_APPROVAL),
    )
    decide_late = move("decide {person} {decision} {killed}", lambda m: bool(m.model.shown))
    decide_both = move(TWO_DECIDE, drafting(Status.AWAITING_APPROVAL))
    decide_stale = move(DECIDED_STALE, drafting(Status.AWAITING_APPROVAL))
    change_template = move("change_template", drafting(Status.AWAITING_APPROVAL, Status.RETRY))
    expire = move("expire", lambda m: bool(m.model.hand_off.copies))
    repeat = move("repeat {person}", lambda m: m.model.has_approved)
    queue_approved = move(
        "wait 601; queue_approved {loses_answer}",
        lambda m: m.model.has_approved,
        loses_answer=flag,
    )

    @property
    def _may_report(self) -> bool:
        return len(self.model.events_queue.messages) + len(self.model.reports) < MAX_CALLBACKS

    @property
    def _may_arrive(self) -> bool:
        return len(self.model.queue.messages) < MAX_MESSAGES

    @property
    def _may_begin(self) -> bool:
        return len(self.model.busy) < MAX_BUSY

    def _has(self, *statuses: Status) -> bool:
        return any(record.status in statuses for record in self.model.store.records.values())

    def do(self, step: Step) -> None:
        self.steps.append(step)
        self._watch(lambda: self.model.do(step))

    def teardown(self) -> None:
        """Let every fault pass, and judge the end."""
        try:
            if self.steps and not self._is_broken:
                self._watch(self.model.come_to_rest)
                reached = self.model.observer.reached
                self.ended.append(Ended(len(self.steps), reached, self._reached_without(reached)))
        finally:
            self.model.close()

    def _reached_without(self, reached: set[Situation]) -> set[Situation]:
        """Return what the schedule reaches without callbacks, and judge that as well."""
        if reached.isdisjoint(CHANGED_BY_CALLBACKS):
            return reached
        schedule = without_callbacks(tuple(self.steps))
        played = Played(schedule, type(self).alter)
        if played.problem:
            type(self).broken = (schedule, played.problem)
            raise played.problem
        return played.reached

    def _watch(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Problem as problem:
            self._is_broken = True
            type(self).broken = (tuple(self.steps), problem)
            raise


SHARD = 100
"""Schedules that are drawn from one seed, one after another."""
STEPS = 40
"""Decisions of a schedule; moves of several steps count as one."""


class SeededProvider(HypothesisProvider):
    """Draws by the seed alone, each schedule independently.

    Under Hypothesis's own name, its search for novelty would make each schedule a variation of the
    one before, and its draws would depend on the constants of all modules that happen to be
    imported: a seed would not repeat a run.
    """

    def _maybe_draw_constant(self, *_: object, **__: object) -> None:
        return None


AVAILABLE_PROVIDERS["independent"] = SeededProvider
INDEPENDENTLY = settings(
    backend="independent",
    database=None,
    deadline=None,
    max_examples=SHARD,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True, kw_only=True)
class SchedulesResult(Result):
    """How many schedules there were, how many steps they had, and how many reached what.

    `without` is what they reached without callbacks; `OPERATOR` counts like a situation.
    """

    schedules: int = 0
    steps: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    without: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "SchedulesResult") -> "SchedulesResult":
        names = [each.name for each in fields(self)]
        return SchedulesResult(**{n: getattr(self, n) + getattr(other, n) for n in names})

    @property
    def size(self) -> str:
        """How much was run."""
        return f"{self.schedules:,} schedules, {self.steps:,} steps"

    @property
    def decisions(self) -> dict[str, tuple[int, int]]:
        """In how many schedules an operator decided what, with callbacks and without."""
        decisions = (OPERATOR, Situation.RECORDED_BY_OPERATOR, Situation.RELEASED)
        return {str(what): (self.reached[what], self.without[what]) for what in decisions}

    @property
    def unreached(self) -> tuple[Situation, ...]:
        """The situations that no schedule reached: they were not tested."""
        return tuple(situation for situation in Situation if not self.reached[situation])

    @property
    def operator_needed(self) -> int:
        """Schedules in which an operator decided."""
        return self.reached[OPERATOR]


def run(
    pool: Executor, schedules: int, seed: int, on_progress: OnProgress, alter: Alter = unaltered
) -> SchedulesResult:
    """Run that many schedules, or a few more."""
    seeds, total = range(seed, seed + -(-schedules // SHARD)), SchedulesResult()
    for shard in as_completed([pool.submit(run_shard, one, alter) for one in seeds]):
        total += shard.result()
        on_progress(total.schedules, len(seeds) * SHARD)
    return total


def run_shard(seed: int, alter: Alter = unaltered) -> SchedulesResult:
    """Run the schedules of one seed, up to the first that breaks a rule."""
    namespace = {"alter": staticmethod(alter), "ended": []}
    shard: type[Schedules] = type("Shard", (Schedules,), namespace)
    with suppress(Problem):  # it is in `broken`
        run_state_machine_as_test(seeded(seed)(shard), settings=INDEPENDENTLY)
    return SchedulesResult(
        schedules=len(shard.ended),
        steps=sum(one.steps for one in shard.ended),
        reached=_counted(one.reached for one in shard.ended),
        without=_counted(one.without for one in shard.ended),
        violations=(_violation(seed, *shard.broken, alter),) if shard.broken else (),
    )


def _counted(reached: Iterable[set[Situation]]) -> Counter[str]:
    decided = {OPERATOR}
    return Counter(
        what for each in reached for what in each | (set() if each.isdisjoint(DECIDED) else decided)
    )


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
