"""The state machine that makes up schedules: Hypothesis decides, the universe obeys."""

from collections.abc import Callable, Sized
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lambda_src.core.contract import Status
from tests.faults.schedules.container import Alter
from tests.faults.schedules.ending import come_to_rest
from tests.faults.schedules.mail import KEYS
from tests.faults.schedules.steps import Step
from tests.faults.schedules.tally import Tally
from tests.faults.schedules.troubles import SERVICES
from tests.faults.schedules.universe import RECEIVES, Universe
from tests.faults.schedules.weather import WAITS
from tests.faults.schedules.workers import CALLS, MARKS, unaltered

MOST_BUSY = 3
"""Containers that work at once."""
MOST_MESSAGES = 6
"""Messages that arrive in one schedule."""
TEMPERS = ("kill", "trouble", "outage", "lag", "secret", "duplicate", "slow", "beat")
"""What a schedule may do without, so that the rest has it to itself."""
tempers = st.integers(0, 2 ** len(TEMPERS) - 1)

Numbers = st.SearchStrategy[int]
When = Callable[["Schedules"], object]


def index(things: Sized) -> Numbers:
    """A number that picks one of these."""
    return st.integers(0, len(things) - 1)


def steps(when: When, make: Callable[..., tuple[Step, ...]], **drawn: Numbers) -> Any:
    """A rule that does some steps, whenever something holds.

    All rules have one name for Hypothesis, which switches rules off by name in most runs: without
    a delivery, or without work, there would be no schedule. `TEMPERS` do that for what goes wrong.
    """

    def step(machine: "Schedules", **numbers: int) -> None:
        for made in make(**numbers):
            machine.do(made)

    return precondition(when)(rule(**drawn)(step))


def action(name: str, when: When, **drawn: Numbers) -> Any:
    """A rule that does one action of the universe, whenever something holds."""
    return steps(when, lambda **n: (Step(name, tuple(n[number] for number in drawn)),), **drawn)


def working(temper: str = "") -> When:
    """Whether a container is at work, in a schedule of that temper."""

    def is_at_work(machine: "Schedules") -> bool:
        return machine.busy > 0 and temper not in machine.lacks

    return is_at_work


bit = st.integers(0, 1)
worker = index(range(MOST_BUSY))
turn = st.integers(0, 2)
any_of = st.integers(0, 9)
mark = index(MARKS)
call = index(CALLS)
SETTLING = [
    n
    for n, m in enumerate(MARKS)
    if m.call in {"sender.find", "conversations.count_look", "conversations.declare_unknown"}
]
NEWEST = -1
"""The container at work that came last."""
at_send = st.just(CALLS.index("sender.send"))


class Schedules(RuleBasedStateMachine):
    """One instance is one schedule; a subclass gives the tally and, for a variant, `alter`."""

    tally: ClassVar[Tally]
    alter: ClassVar[Alter] = staticmethod(unaltered)

    def __init__(self) -> None:
        super().__init__()
        self.universe = Universe(type(self).alter)
        self.world = self.universe.world
        self.steps: list[Step] = []
        self.lacks: set[str] = set()
        self._is_broken = False

    @initialize(receives=index(RECEIVES), is_original=bit, is_slow=bit, lacking=tempers)
    def begin(self, receives: int, is_original: int, is_slow: int, lacking: int) -> None:
        """Settle the ways of this schedule."""
        self.lacks = {temper for n, temper in enumerate(TEMPERS) if lacking >> n & 1}
        self.do(Step("begin", (receives, is_original, is_slow)))

    arrive = action("arrive", lambda m: m.arrivals < MOST_MESSAGES, conversation=index(KEYS))
    deliver = action("deliver", lambda m: m.may_deliver, most=st.integers(1, 2))
    wait_for_queue = action("wait_for_queue", lambda m: m.waits_for_queue)
    redrive = action("redrive", lambda m: m.world.sqs.dead, which=any_of)
    person = action("person", lambda m: m.needs_person, conversation=index(KEYS))
    late = action("late", lambda m: m.world.late, which=any_of)

    go_one = action("go", working(), worker=worker, turn=turn, pieces=st.just(1))
    go = action("go", working(), worker=worker, turn=turn, pieces=st.integers(1, 12))
    go_to = action("go_to", working(), worker=worker, mark=mark)
    finish = action("finish", working(), worker=worker)

    duplicate = action("duplicate", working("duplicate"), which=any_of)
    wait = action("wait", working("slow"), which=index(WAITS))
    overtake = steps(
        working("slow"),
        lambda mark: (
            Step("wait_for_queue"),
            Step("deliver", (1,)),
            Step("go_to", (NEWEST, mark)),
        ),
        mark=mark,
    )
    idle = action("wait", lambda m: m.is_idle, which=index(WAITS))
    kill = action("kill", working("kill"), worker=worker)
    kill_at = action("kill_at", working("kill"), worker=worker, mark=mark)
    kill_settling = action(
        "kill_at", lambda m: m.is_settling, worker=worker, mark=st.sampled_from(SETTLING)
    )
    trouble = action("trouble", working("trouble"), worker=worker, turn=turn, which=any_of)
    trouble_at = action("trouble_at", working("trouble"), worker=worker, call=call, which=any_of)
    beat = action("beat", working("beat"), worker=worker, pieces=st.integers(0, 8))
    hang = action("hang", working("beat"), worker=worker)

    unknown = action("trouble_at", working("trouble"), worker=worker, call=at_send, which=any_of)
    outage = action("outage", working("outage"), which=index(SERVICES), calls=st.integers(1, 6))
    lag = action("lag", working("lag"))
    foreign = action("foreign", working("lag"))
    change_secret = action("change_secret", working("secret"), which=bit)
    mend_secrets = action("mend_secrets", lambda m: not m.universe.weather.are_secrets_right)

    @property
    def busy(self) -> int:
        """How many containers are at work."""
        return len(self.universe.workers.busy)

    @property
    def may_deliver(self) -> bool:
        """Whether there is a message, and a container for it."""
        return self.busy < MOST_BUSY and bool(self.world.sqs.visible)

    @property
    def waits_for_queue(self) -> bool:
        """Whether there is a message that is not visible yet."""
        return bool(self.world.sqs.on_queue) and not self.world.sqs.visible

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing that anybody could do."""
        return not (self.busy or self.world.sqs.on_queue or self.arrivals < MOST_MESSAGES)

    @property
    def is_settling(self) -> bool:
        """Whether a container may be killed while it settles a send."""
        records = self.world.table.records.values()
        is_open = any(record.status is Status.SENDING for record in records)
        return is_open and self.busy > 0 and "kill" not in self.lacks

    @property
    def needs_person(self) -> bool:
        """Whether a conversation ended in a way that a person may decide on."""
        ends = {Status.SEND_UNKNOWN, Status.FAILED}
        return any(record.status in ends for record in self.world.table.records.values())

    @property
    def arrivals(self) -> int:
        """How many messages there are or were."""
        return len(self.world.sqs.messages)

    def do(self, step: Step) -> None:
        """Do a step of the schedule."""
        self.steps.append(step)
        self._watched(lambda: self.universe.do(step))

    def teardown(self) -> None:
        """Let every fault pass, and judge the end."""
        try:
            if self.steps and not self._is_broken:
                self._watched(lambda: come_to_rest(self.universe))
        finally:
            self.universe.close()
            self.tally.count(self.steps, self.universe)

    def _watched(self, act: Callable[[], None]) -> None:
        try:
            act()
        except AssertionError as problem:
            self._is_broken = True
            self.tally.violated(self.steps, problem)
            raise
