"""The state machine that makes up schedules: Hypothesis decides, the universe obeys."""

from collections.abc import Callable
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from lambda_src.core.contract import Status
from tests.faults.schedules.chances import TEMPERS, action, steps, working
from tests.faults.schedules.container import Alter
from tests.faults.schedules.ending import come_to_rest
from tests.faults.schedules.judge import Problem
from tests.faults.schedules.mail import KEYS
from tests.faults.schedules.moves import (
    killed_settling,
    lost_from_sight,
    outlasted,
    overtaken,
    raced,
    troubled,
    troubled_to_its_end,
)
from tests.faults.schedules.steps import Step
from tests.faults.schedules.tally import Tally
from tests.faults.schedules.troubles import SERVICES, TROUBLES
from tests.faults.schedules.universe import Universe
from tests.faults.schedules.workers import MARKS, unaltered

MOST_BUSY = 3
"""Containers that work at once."""
MOST_MESSAGES = 6
"""Messages that arrive in one schedule."""
SECONDS = (1, 5, 20, 95, 400, 1000)
"""That may pass: within a stall, a send's span, a lease, all looks, a visibility."""
TROUBLE_AT = [(call, trouble.name) for call, troubles in TROUBLES.items() for trouble in troubles]
SETTLING = ("sender.find", "conversations.count_look", "conversations.declare_unknown")

flag = st.integers(0, 1)
worker = st.integers(0, MOST_BUSY - 1)
turn = st.integers(0, 2)
any_of = st.integers(0, 9)
conversation = st.integers(0, len(KEYS) - 1)
seconds = st.sampled_from(SECONDS)
mark = st.sampled_from([str(mark) for mark in MARKS])
settling = st.sampled_from([str(mark) for mark in MARKS if mark.call in SETTLING])


def of(service: str) -> st.SearchStrategy[tuple[str, str]]:
    """A call of a service, and what goes wrong with it."""
    return st.sampled_from([pair for pair in TROUBLE_AT if pair[0].startswith(service)])


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

    @initialize(
        receives=st.sampled_from((10, 5, 3, 2)),
        is_original=flag,
        is_ai_slow=flag,
        is_late_last=flag,
        lacking=st.integers(0, 2 ** len(TEMPERS) - 1),
    )
    def begin(self, lacking: int, **ways: int) -> None:
        """Settle the ways of this schedule."""
        self.lacks = {temper for n, temper in enumerate(TEMPERS) if lacking >> n & 1}
        names = ("receives", "is_original", "is_ai_slow", "is_late_last")
        self.do(Step("begin", tuple(ways[name] for name in names)))

    arrive = action("arrive", lambda m: m.arrivals < MOST_MESSAGES, conversation=conversation)
    deliver = action("deliver", lambda m: m.may_deliver, most=st.integers(1, 2))
    wait_for_queue = action("wait_for_queue", lambda m: m.waits_for_queue)
    idle = action("wait", lambda m: m.is_idle, seconds=seconds)
    redrive = action("redrive", lambda m: bool(m.world.sqs.dead), which=any_of)
    person = action("person", lambda m: m.needs_person, conversation=conversation)

    go_one = action("go", working(), worker=worker, turn=turn, pieces=st.just(1))
    go = action("go", working(), worker=worker, turn=turn, pieces=st.integers(1, 12))
    go_to = action("go_to", working(), worker=worker, mark=mark)
    finish = action("finish", working(), worker=worker)

    duplicate = action("duplicate", working("duplicate"), which=any_of)
    race = steps(working("duplicate"), raced, worker=worker, mark=mark)
    wait = action("wait", working("slow"), seconds=seconds)
    overtake = steps(working("slow"), overtaken, worker=worker, mark=mark)
    outlast = steps(working("slow"), outlasted, worker=worker)
    beat = action("beat", working("beat"), worker=worker, pieces=st.integers(0, 8))
    hang = action("hang", working("beat"), worker=worker)

    kill = action("kill", working("kill"), worker=worker)
    kill_at = action("kill_at", working("kill"), worker=worker, mark=mark)
    kill_settling = steps(lambda m: m.is_settling, killed_settling, mark=settling)
    trouble = action("trouble", working("trouble"), worker=worker, turn=turn, which=any_of)
    any_trouble = steps(working("trouble"), troubled, worker=worker, trouble=of(""))
    ledger = steps(working("trouble"), troubled, worker=worker, trouble=of("conversations"))
    send = steps(working("trouble"), troubled, worker=worker, trouble=of("sender.send"))
    record = steps(
        working("trouble"),
        troubled_to_its_end,
        worker=worker,
        trouble=of("conversations.record_sent"),
    )
    late = action("late", lambda m: bool(m.world.late), which=any_of)

    outage = action(
        "outage",
        working("outage"),
        service=st.sampled_from(SERVICES),
        calls=st.integers(1, 6),
    )
    lose = steps(working("lag"), lost_from_sight, worker=worker)
    catch_up = action("catch_up", lambda m: m.world.vendor.is_lagging)
    foreign = action("foreign", working("lag"))
    change_token = action("change_token", working("secret"))
    change_key = action("change_key", working("secret"))
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
        return is_open and self.busy < MOST_BUSY and "kill" not in self.lacks

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
        except Problem as problem:
            self._is_broken = True
            self.tally.broken = (tuple(self.steps), problem)
            raise
