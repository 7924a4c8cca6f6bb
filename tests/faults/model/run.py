"""The Hypothesis state machine that draws schedules, and runs of many schedules on every core."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, ClassVar

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
from tests.faults.model._system import Alter, unaltered
from tests.faults.model.model import KEYS, STOPS, Model, Played, Problem, Unresolved, smallest
from tests.faults.model.schedules import Schedule, Situation, Step, written
from tests.faults.parallel import process_pool
from tests.faults.rules import Result, Violation

MAX_BUSY = 3
"""Containers that work at once."""
MAX_MESSAGES = 6
"""Messages that arrive in one schedule."""
SECONDS = (1, 5, 20, 95, 400, 1000)
"""That may pass: within a send's delay, a send, a lease, all lookups, a visibility."""
FAULTS = [(call, fault.name) for call, faults in CALL_FAULTS.items() for fault in faults]
RECONCILING = ("sender.find", "store.count_lookup", "store.mark_unknown")
NEWEST = -1
"""The busy container that began last."""
KINDS = ("kill", "fault", "outage", "lag", "secret", "duplicate", "slow", "heartbeat")
"""Kinds of trouble that a schedule may do without, so that it has more of the others."""

Drawn = st.SearchStrategy[Any]
When = Callable[["Schedules"], bool]


def fails(worker: int, fault: tuple[str, str]) -> tuple[Step, ...]:
    """A certain call of a container goes wrong."""
    return (Step("fail_at", (worker, *fault)),)


def fails_and_finishes(worker: int, fault: tuple[str, str]) -> tuple[Step, ...]:
    """A certain call of a container goes wrong, and its batch goes on to its end."""
    return *fails(worker, fault), Step("finish", (worker,))


def overtaken(worker: int, stop: str) -> tuple[Step, ...]:
    """A container is delayed past its lease, and another one gets its message."""
    return Step("wait", (95,)), *raced(worker, stop)


def raced(worker: int, stop: str) -> tuple[Step, ...]:
    """Another container gets the same message at the same time."""
    return Step("redeliver", (worker,)), Step("run_to", (NEWEST, stop))


def outlasted(worker: int) -> tuple[Step, ...]:
    """A container is delayed after its intent, until others have given that send up."""
    return (
        Step("run_to", (worker, "after:store.record_intent")),
        Step("wait", (1000,)),
        Step("redeliver", (worker,)),
        Step("finish", (NEWEST,)),
        *(Step("operator", (conversation,)) for conversation in range(len(KEYS))),
    )


def killed_reconciling(stop: str) -> tuple[Step, ...]:
    """A container gets the next message, and is killed if it reconciles a send."""
    return Step("wait_for_queue"), Step("deliver", (1,)), Step("kill_at", (NEWEST, stop))


def lost_from_sight(worker: int) -> tuple[Step, ...]:
    """A message is accepted, its answer is lost, and the vendor does not list it yet."""
    fault = ("sender.send", "accepted-answer-lost")
    return Step("lag"), *fails_and_finishes(worker, fault)


def steps(when: When, make: Callable[..., tuple[Step, ...]], **drawn: Drawn) -> Any:
    """Return a Hypothesis rule that does some steps, whenever something holds.

    All rules have one name for Hypothesis, which disables rules by name in most runs: without
    deliveries there would be no schedule. `KINDS` disable what goes wrong.
    """

    def step(machine: "Schedules", **values: Any) -> None:
        for made in make(**values):
            machine.do(made)

    a_rule: Any = rule  # its overloads do not know keywords that are not known by name
    return precondition(when)(a_rule(**drawn)(step))


def action(name: str, when: When, **drawn: Drawn) -> Any:
    """Return a Hypothesis rule that does one action, whenever something holds."""
    return steps(
        when, lambda **values: (Step(name, tuple(values[part] for part in drawn)),), **drawn
    )


def working(kind: str = "") -> When:
    """Return whether a container is busy, in a schedule with that kind of trouble."""
    return lambda machine: bool(machine._busy) and kind not in machine.lacks


def of(service: str) -> Drawn:
    """Draw a call of a service, and what goes wrong with it."""
    return st.sampled_from([pair for pair in FAULTS if pair[0].startswith(service)])


flag = st.integers(0, 1)
worker = st.integers(0, MAX_BUSY - 1)
turn = st.integers(0, 2)
any_of = st.integers(0, 9)
conversation = st.integers(0, len(KEYS) - 1)
seconds = st.sampled_from(SECONDS)
stop = st.sampled_from([str(stop) for stop in STOPS])
reconciling = st.sampled_from([str(stop) for stop in STOPS if stop.call in RECONCILING])


@dataclass
class Summary:
    """What some schedules add up to; nothing is counted any more once a rule was broken."""

    schedules: int = 0
    steps: int = 0
    reached: Counter[Situation] = field(default_factory=Counter)
    broken: tuple[Schedule, Problem] | None = None

    def count(self, steps: Schedule, model: Model) -> None:
        """Count a schedule that came to its end."""
        if not self.broken:
            self.schedules += 1
            self.steps += len(steps)
            self.reached.update(model.observer.reached)


class Schedules(RuleBasedStateMachine):
    """One instance is one schedule; a subclass has the summary and, for a mutant, `alter`."""

    summary: ClassVar[Summary]
    alter: ClassVar[Alter] = staticmethod(unaltered)

    def __init__(self) -> None:
        super().__init__()
        self.model = Model(type(self).alter)
        self.environment = self.model.environment
        self.steps: list[Step] = []
        self.lacks: set[str] = set()
        self._is_broken = False

    @initialize(
        receives=st.sampled_from((10, 5, 3, 2)),
        is_original=flag,
        is_ai_slow=flag,
        is_late_last=flag,
        lacking=st.integers(0, 2 ** len(KINDS) - 1),
    )
    def begin(self, lacking: int, **settings: int) -> None:
        """Draw the schedule's settings."""
        self.lacks = {kind for number, kind in enumerate(KINDS) if lacking >> number & 1}
        names = ("receives", "is_original", "is_ai_slow", "is_late_last")
        self.do(Step("begin", tuple(settings[name] for name in names)))

    arrive = action("arrive", lambda m: m._arrivals < MAX_MESSAGES, conversation=conversation)
    deliver = action("deliver", lambda m: m._may_deliver, most=st.integers(1, 2))
    wait_for_queue = action("wait_for_queue", lambda m: m._waits_for_queue)
    idle = action("wait", lambda m: m._is_idle, seconds=seconds)
    redrive = action("redrive", lambda m: bool(m.environment.queue.dead), which=any_of)
    operator = action("operator", lambda m: m._needs_operator, conversation=conversation)

    advance_one = action("advance", working(), worker=worker, turn=turn, pieces=st.just(1))
    advance = action("advance", working(), worker=worker, turn=turn, pieces=st.integers(1, 12))
    run_to = action("run_to", working(), worker=worker, stop=stop)
    finish = action("finish", working(), worker=worker)

    duplicate = action("duplicate", working("duplicate"), which=any_of)
    race = steps(working("duplicate"), raced, worker=worker, stop=stop)
    wait = action("wait", working("slow"), seconds=seconds)
    overtake = steps(working("slow"), overtaken, worker=worker, stop=stop)
    outlast = steps(working("slow"), outlasted, worker=worker)
    heartbeat = action("heartbeat", working("heartbeat"), worker=worker, pieces=st.integers(0, 8))
    hang = action("hang", working("heartbeat"), worker=worker)

    kill = action("kill", working("kill"), worker=worker)
    kill_at = action("kill_at", working("kill"), worker=worker, stop=stop)
    kill_reconciling = steps(lambda m: m._is_reconciling, killed_reconciling, stop=reconciling)
    fail = action("fail", working("fault"), worker=worker, turn=turn, which=any_of)
    fail_any = steps(working("fault"), fails, worker=worker, fault=of(""))
    fail_store = steps(working("fault"), fails, worker=worker, fault=of("store"))
    fail_send = steps(working("fault"), fails, worker=worker, fault=of("sender.send"))
    fail_record = steps(
        working("fault"), fails_and_finishes, worker=worker, fault=of("store.record_sent")
    )
    apply_late = action("apply_late", lambda m: bool(m.environment.late), which=any_of)

    outage = action(
        "outage", working("outage"), service=st.sampled_from(SERVICES), calls=st.integers(1, 6)
    )
    lose = steps(working("lag"), lost_from_sight, worker=worker)
    catch_up = action("catch_up", lambda m: m.environment.sender.listed_until < inf)
    foreign_message = action("foreign_message", working("lag"))
    change_token = action("change_token", working("secret"))
    change_key = action("change_key", working("secret"))
    fix_secrets = action("fix_secrets", lambda m: not m.environment.are_secrets_right)

    @property
    def _busy(self) -> int:
        return len(self.model.busy)

    @property
    def _may_deliver(self) -> bool:
        return self._busy < MAX_BUSY and bool(self.environment.queue.visible)

    @property
    def _waits_for_queue(self) -> bool:
        return bool(self.environment.queue.on_queue) and not self.environment.queue.visible

    @property
    def _is_idle(self) -> bool:
        queue = self.environment.queue
        return not (self._busy or queue.on_queue or self._arrivals < MAX_MESSAGES)

    @property
    def _is_reconciling(self) -> bool:
        records = self.environment.store.records.values()
        is_open = any(record.status is Status.SENDING for record in records)
        return is_open and self._busy < MAX_BUSY and "kill" not in self.lacks

    @property
    def _needs_operator(self) -> bool:
        ends = {Status.SEND_UNKNOWN, Status.FAILED}
        return any(record.status in ends for record in self.environment.store.records.values())

    @property
    def _arrivals(self) -> int:
        return len(self.environment.queue.messages)

    def do(self, step: Step) -> None:
        """Do a step of the schedule."""
        self.steps.append(step)
        self._watch(lambda: self.model.do(step))

    def teardown(self) -> None:
        """Let every fault pass, and judge the end."""
        try:
            if self.steps and not self._is_broken:
                self._watch(self.model.come_to_rest)
        finally:
            self.model.close()
            self.summary.count(tuple(self.steps), self.model)

    def _watch(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Problem as problem:
            self._is_broken = True
            self.summary.broken = (tuple(self.steps), problem)
            raise


SHARD = 100
"""Schedules that are drawn from one seed, one after another."""
STEPS = 40
"""Decisions of a schedule; moves of several steps count as one."""

# Hypothesis's own way of drawing, under another name: then no schedule is a variation of the one
# before, as its search for novelty would have it, and all are drawn independently.
AVAILABLE_PROVIDERS["independent"] = HypothesisProvider
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
    """How many schedules there were, how many steps they had, and what they reached."""

    schedules: int = 0
    steps: int = 0
    reached: Counter[Situation] = field(default_factory=Counter)

    def __add__(self, other: "SchedulesResult") -> "SchedulesResult":
        return SchedulesResult(
            schedules=self.schedules + other.schedules,
            steps=self.steps + other.steps,
            reached=self.reached + other.reached,
            violations=self.violations + other.violations,
        )

    @property
    def unreached(self) -> tuple[Situation, ...]:
        """The situations that no schedule reached: they were not tested."""
        return tuple(situation for situation in Situation if not self.reached[situation])

    @property
    def operator_needed(self) -> int:
        """Schedules in which an operator decided."""
        return self.reached[Situation.RELEASED] + self.reached[Situation.RECORDED_BY_OPERATOR]


def run(
    schedules: int, seed: int, on_progress: Callable[[int, int], None], alter: Alter | None = None
) -> SchedulesResult:
    """Run that many schedules, or a few more."""
    seeds = range(seed, seed + -(-schedules // SHARD))
    results = (run_shard(one, alter) for one in seeds) if alter else _in_parallel(seeds)
    total = SchedulesResult()
    for result in results:
        total += result
        on_progress(total.schedules, len(seeds) * SHARD)
        if alter and total.violations:
            break
    return total


def run_shard(seed: int, alter: Alter = unaltered) -> SchedulesResult:
    """Run the schedules of one seed, up to the first that breaks a rule."""
    summary = Summary()
    shard = type("Shard", (Schedules,), {"summary": summary, "alter": staticmethod(alter)})
    with suppress(Problem):  # the summary has it
        run_state_machine_as_test(seeded(seed)(shard), settings=INDEPENDENTLY)
    return SchedulesResult(
        schedules=summary.schedules,
        steps=summary.steps,
        reached=summary.reached,
        violations=(_violation(seed, *summary.broken, alter),) if summary.broken else (),
    )


def _in_parallel(seeds: range) -> Iterator[SchedulesResult]:
    with process_pool() as pool:
        for shard in as_completed([pool.submit(run_shard, seed) for seed in seeds]):
            yield shard.result()


def _violation(seed: int, schedule: Schedule, problem: Problem, alter: Alter) -> Violation:
    def shows(shorter: Schedule) -> bool:
        found = Played(shorter, alter).problem
        return found is not None and (type(found), found.rules) == (type(problem), problem.rules)

    small = smallest(schedule, shows)
    return Violation(
        subject=f"a schedule of seed {seed}",
        rules=problem.rules,
        what=str(Played(small, alter).problem),
        is_unresolved=isinstance(problem, Unresolved),
        replay=f"python -m tests.faults schedules --replay {written(small)!r}",
    )
