"""The model: schedules keep the promise, whatever goes wrong at whatever call."""

import re

import pytest

from lambda_src.core.contract import Status
from tests.faults.model._calls import CALL_FAULTS, CallFault, Effect
from tests.faults.model.model import DEAD_LETTER, FIXED, Model, Played, read
from tests.faults.model.run import run_shard
from tests.faults.operator_decisions import Decision

CLEAN = "arrive 0; deliver 1"
RECONCILING = f"{CLEAN}; fail_at 0 sender.send accepted-answer-lost; finish 0; wait_for_queue"
HELD = f"write_badly 2 0; {CLEAN}"
APPROVED = f"{HELD}; finish 0; show 0 0; decide 0 edit 0; deliver 1"
RUNS = {
    "clean run": CLEAN,
    "reconciling run": f"{RECONCILING}; deliver 1",
    "held run": HELD,
    "approved run": APPROVED,
}
_STOP = re.compile(r"(?:before|after):\S+")
KILL_RUNS = (
    *RUNS.values(),
    f"begin 10 0 0 1; lag; {RECONCILING}; deliver 1",
    f"begin 2 0 0 0; lag; {RECONCILING}; deliver 1",
)
NEEDS_OPERATOR = {Decision.RELEASED, Decision.RECORDED, FIXED, DEAD_LETTER}


def stops_of(run: str) -> list[str]:
    """Return where a run's last container stops: what is injected elsewhere never happens."""
    model = Model()
    for step in read(f"{run}; run_to 0 the-end"):
        model.do(step)
    model.close()
    last = model.trace.index("> run_to 0 the-end")
    return sorted({stop for line in model.trace[last:] for stop in _STOP.findall(line)})


FAULTS = [
    pytest.param(run, call, fault, id=f"{name} {call} {fault.name}")
    for name, run in RUNS.items()
    for moment, _, call in (stop.partition(":") for stop in stops_of(run))
    if moment == "before"
    for fault in CALL_FAULTS.get(call, ())
]
KILLS = [f"{run}; kill_at 0 {stop}" for run in KILL_RUNS for stop in stops_of(run)]


def test_random_schedules_keep_the_promise() -> None:
    """No rule is broken in random schedules, in which records get every status."""
    result = run_shard(3)
    assert [] == list(map(str, result.violations))
    assert set(Status) <= {what.rpartition(" → ")[2] for what in result.reached}


@pytest.mark.parametrize(("run", "call", "fault"), FAULTS)
def test_single_fault_needs_no_operator(run: str, call: str, fault: CallFault) -> None:
    """The message is sent once and recorded by the workers alone, unless that is impossible."""
    played = Played(read(f"{run}; fail_at 0 {call} {fault.name}"))
    assert played.problem is None
    is_refused = fault.is_refusal or fault.is_fixable
    is_unknown = call == "sender.send" and fault.effect is Effect.NONE
    if not (is_refused or (is_unknown and fault.name in {"never-arrived", "unexpected-none"})):
        assert set() == played.reached & NEEDS_OPERATOR


@pytest.mark.parametrize("schedule", KILLS)
def test_single_kill_breaks_no_rule(schedule: str) -> None:
    """Wherever a container is killed: the message is sent once in the end, and recorded."""
    assert Played(read(schedule)).problem is None


TWICE = "arrive 3; deliver 1; advance 0 0 1; advance 0 1 1; redeliver 0"
DELETED = "redeliver 0; run_to -1 after:mapping.delete; show 1 0; decide 1 approve 1"


@pytest.mark.parametrize(
    "schedule",
    [
        f"{TWICE}; run_to -1 after:sender.find; wait 1000; show 0 0; decide 0 approve 1",
        f"old_record 0 1; deliver 2; {DELETED}; fail_at 0 sender.send accepted-answer-lost",
    ],
)
def test_approved_message_is_sent_whichever_worker_acquires_it(schedule: str) -> None:
    """Its own queue message may be deleted by then, and the worker may end without sending."""
    assert Played(read(schedule)).problem is None
