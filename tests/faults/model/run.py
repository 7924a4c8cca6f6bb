"""Random schedules: their decisions are drawn from a seed, and many are run on every core."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, as_completed
from math import inf
from random import Random
from typing import Any, NamedTuple

from lambda_src.core.contract import HoldReason, Status
from ops.dlq.policy import RedriveDecision
from tests.faults.model._calls import CALL_FAULTS
from tests.faults.model._environment import ALL_EVENT_FAULTS, CODES, EVENT_STOPS, FORGERIES
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

# A container is delayed past its lease, and another one gets its message.
OVERTAKEN = "wait 95; redeliver {worker}; run_to -1 {stop}"
# A container is delayed after its intent, until others have given that send up.
OUTLASTED = "run_to {worker} after:store.record_intent; wait 1000; redeliver {worker}; finish -1; "
OUTLASTED += "; ".join(f"operator {number}" for number in range(len(KEYS)))
# A container gets the next message, and is killed if it reconciles a send.
KILLED_RECONCILING = "wait_for_queue; deliver 1; kill_at -1 {reconciling}"
# A message is accepted, its answer is lost, and the vendor does not list it yet.
LOST = "lag; fail_at {worker} sender.send accepted-answer-lost; finish {worker}"
# Two messages of one text are sent in another order than their intents, and no answer arrives.
SWAPPED = (
    "write_badly 2 0; deliver 1; run_to -1 after:store.record_intent; wait 1; deliver 1; "
    "fail_at -1 sender.send accepted-answer-lost; fail_at -2 sender.send accepted-answer-lost"
)
# A call goes wrong in the same way again and again.
DOWN = "; ".join(3 * ["fail_at {worker} {fault}"])
# The vendor reports a message, and an events worker gets that.
REPORTED = "report {which} {report}; post -1 {kept}; work 1; {ending}"
# A callback comes before the answer to the send.
EARLY = (
    "run_to {worker} after:sender.send; report -1 {report}; post -1 {kept}; work 1; finish events"
)
# Two operators look at the same draft, and both decide.
TWO_DECIDE = "show 0 {which}; show 1 {which}; decide 0 {decision} {killed}; decide 1 {other} 0"
# An operator decides about what they saw before the template changed, and another one approved it.
DECIDED_STALE = "show 0 {which}; show 1 {which}; change_template; decide 1 {decision} 0; "
DECIDED_STALE += "wait_for_queue; deliver 1; finish -1; decide 0 {other} 0"
# A worker is killed, or its write goes wrong, when it holds a draft or hands it off.
KILLED_HOLDING = "write_badly 2 {flaw}; wait_for_queue; deliver 1; kill_at -1 {holding}"

FLAG = (0, 1)
DRAWN: dict[str, Sequence[Any]] = {
    "worker": range(MAX_BUSY),
    "turn": range(3),
    "which": range(10),
    "most": (1, 2),
    "pieces": range(1, 13),
    # That may pass: within a send's delay, a send, a lease, all lookups, a visibility.
    "seconds": (1, 5, 20, 95, 400, 1000),
    "stop": STOPS,
    "reconciling": [stop for stop in STOPS if stop.endswith(("find", "lookup", "mark_unknown"))],
    "holding": [stop for stop in STOPS if stop.endswith(("draft", "hand_off.put"))],
    "fault": FAULTS,
    "fault_of_store": [fault for fault in FAULTS if fault.startswith("store")],
    "fault_of_send": [fault for fault in FAULTS if fault.startswith("sender.send")],
    "fault_of_record": [fault for fault in FAULTS if fault.startswith("store.record_sent")],
    "conversation": range(len(KEYS) - 1),
    "report": (*("sent", "delivered", "read") * 2, *CODES),
    "forgery": range(len(FORGERIES)),
    # How an events worker goes on: to the end, delayed, killed, or after a call that went wrong.
    "ending": (
        *(4 * len(EVENT_STOPS) * ("finish events",)),
        *(f"run_to events {stop}" for stop in EVENT_STOPS * 2),
        *(f"kill_at events {stop}" for stop in EVENT_STOPS),
        *(f"fail_at events {fault}; finish events" for fault in ALL_EVENT_FAULTS),
    ),
    "person": FLAG,
    "decision": DECISIONS,
    "other": DECISIONS,
    "answers": (1, 2, 2, 4),
    "flaw": (0, 0, 0, 1),
    **dict.fromkeys(("kept", "killed", "loses_answer", "is_bad"), FLAG),
}
"""What stands for a name in a move."""
MOVES = {
    "": (
        *("arrive {conversation}", "deliver {most}", "wait_for_queue", "redrive {which}"),
        *("operator {conversation}", "advance {worker} {turn} 1", "run_to {worker} {stop}"),
        *("advance {worker} {turn} {pieces}", "finish {worker}", "apply_late {which}"),
        *("catch_up", "post {which} {kept}; work 2; finish events"),
        *("look_up; work 10; {ending}", "decide {person} {decision} {killed}", "expire"),
        *("repeat {person}", "queue_approved {loses_answer}"),
    ),
    "duplicate": ("duplicate {which}", "redeliver {worker}; run_to -1 {stop}"),
    "slow": ("wait {seconds}", OVERTAKEN, OUTLASTED),
    "heartbeat": ("heartbeat {worker} {pieces}",),
    "kill": ("kill {worker}", "kill_at {worker} {stop}", KILLED_RECONCILING, KILLED_HOLDING),
    "fault": (
        *("fail_at {worker} {fault}", DOWN, SWAPPED),
        *("fail_at {worker} {fault_of_store}", "fail_at {worker} {fault_of_send}"),
        "fail_at {worker} {fault_of_record}; finish {worker}",
    ),
    "lag": (LOST,),
    "callback": (
        *("report {which} {report}", REPORTED, EARLY),
        "forge {which} {forgery} {report}; work 1; finish events",
    ),
    "draft": (
        *(f"arrive {KEYS.index(REVIEWED)}", "write_badly {answers} {flaw}"),
        *("old_record {conversation} {is_bad}", "change_template", TWO_DECIDE, DECIDED_STALE),
        "show {person} {which}; decide {person} {decision} {killed}",
    ),
}
"""By the kind of trouble: a schedule may do without, so that it has more of the others."""


def _has(model: Model, *statuses: Status) -> bool:
    return any(record.status in statuses for record in model.store.records.values())


def _is_busy(model: Model) -> bool:
    return bool(model.busy)


def _may_arrive(model: Model) -> bool:
    return len(model.queue.messages) < MAX_MESSAGES


def _may_report(model: Model) -> bool:
    is_few = len(model.events_queue.messages) + len(model.reports) < MAX_CALLBACKS
    return is_few and bool(model.reported_messages)


GUARDS: dict[str, Callable[[Model], bool]] = {
    **dict.fromkeys(("arrive", "old_record"), _may_arrive),
    **dict.fromkeys(("report", "post", "forge"), _may_report),
    "deliver": lambda model: len(model.busy) < MAX_BUSY and bool(model.queue.visible),
    "wait_for_queue": lambda model: len(model.busy) < MAX_BUSY and bool(model.queue.on_queue),
    "look_up": lambda model: _may_report(model) and not model.busy,
    "redrive": lambda model: bool(model.queue.dead),
    "operator": lambda model: (
        bool(model.queue.dead) or _has(model, Status.SEND_UNKNOWN, Status.FAILED)
    ),
    "apply_late": lambda model: bool(model.late),
    "catch_up": lambda model: model.sender.listed_until < inf,
    "write_badly": lambda model: not model.generator.flaws,
    "show": lambda model: _has(model, Status.AWAITING_APPROVAL),
    "change_template": lambda model: _has(model, Status.AWAITING_APPROVAL, Status.RETRY),
    "decide": lambda model: bool(model.shown),
    "expire": lambda model: bool(model.hand_off.bodies),
    **dict.fromkeys(("repeat", "queue_approved"), lambda model: model.has_approved),
}
"""When a move can begin with an action; with any other one, while a container is busy."""


class RandomSchedule:
    """One schedule, whose decisions are drawn while it is run."""

    def __init__(self, random: Random, alter: Alter) -> None:
        self.model = Model(alter)
        self.steps: list[Step] = []
        self._random = random
        kinds = ("", *(kind for kind in MOVES if kind and random.choice(FLAG)))
        self._moves = [move for kind in kinds for move in MOVES[kind]]

    def run(self) -> Problem | None:
        """Run it to its end, and return the problem that ended it before."""
        draw = self._random.choice
        flags = [draw(FLAG), draw(FLAG), draw(FLAG), draw((1, 1, 1, 0)), draw((*7 * (0,), 1))]
        try:
            self._do(Step("begin", (draw((10, 5, 3, 2)), *flags)))
            for _ in range(STEPS):
                if possible := list(filter(self._can_begin, self._moves)):
                    for step in self._drawn(draw(possible)):
                        self._do(step)
            self.model.come_to_rest()
        except Problem as problem:
            return problem
        finally:
            self.model.close()
        return None

    def _can_begin(self, move: str) -> bool:
        action = move.replace(";", " ").split(maxsplit=1)[0]
        return GUARDS.get(action, _is_busy)(self.model)

    def _drawn(self, move: str) -> Schedule:
        names = re.findall(r"{(\w+)}", move)
        return read(move.format(**{name: self._random.choice(DRAWN[name]) for name in names}))

    def _do(self, step: Step) -> None:
        self.steps.append(step)
        self.model.do(step)


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
"""What thousands of random schedules must reach: else they do not test what they are meant to."""
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
        return found is not None and found.rules == problem.rules

    small = smallest(schedule, shows)
    return Violation(
        subject=f"a schedule of seed {seed}",
        rules=problem.rules,
        what=str(Played(small, alter).problem),
        is_unresolved=problem.is_unresolved,
        replay=f"python -m tests.faults schedules --replay {written(small)!r}",
    )
