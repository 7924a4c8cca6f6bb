"""The model: random schedules keep the promise, and every situation is reached."""

import re
from collections.abc import Iterator

import pytest

from lambda_src.core.contract import Status
from tests.faults.model._calls import CALL_FAULTS, CallFault, Effect
from tests.faults.model._events import ALL_EVENT_FAULTS
from tests.faults.model._system import (
    BODIES,
    FLAWED,
    HEARTBEAT_VISIBILITY_SECONDS,
    KEYS,
    VISIBILITY_SECONDS,
    InMemoryQueue,
)
from tests.faults.model.model import Model, Played, smallest
from tests.faults.model.run import run_shard
from tests.faults.model.schedules import Schedule, Situation, read, written
from tests.faults.mutants.catalogue import MUTANTS
from tests.faults.operator_decisions import EDITED
from tests.faults.rules import Location, Rule
from tests.support.clock import FakeClock

KEY = KEYS[0]
RARE = frozenset({
    Situation.FIXED, Situation.APPLIED_LATE, Situation.LEASE_EXPIRED, Situation.ACCEPTED_LATE,
    Situation.REFUSED, Situation.SUPPRESSED, Situation.FENCED_OFF, Situation.PROVEN_UNKNOWN,
    Situation.KILLED_MARKING_UNKNOWN, Situation.SAME_TEXT,
})  # fmt: skip
"""What a hundred schedules may miss; the full proof's thousands do not."""
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
EVENT_RUNS = (
    f"{CLEAN}; finish 0; report 0 delivered; post 0 0",
    f"{RECONCILING}; report 0 opted_out; post 0 0",
    f"{CLEAN}; finish 0; report 0 undelivered; wait 3700; schedule",
)
_STOP = re.compile(r"(?:before|after):\S+")
KILL_RUNS = (
    *RUNS.values(),
    f"begin 10 0 0 1; lag; {RECONCILING}; deliver 1",
    f"begin 2 0 0 0; lag; {RECONCILING}; deliver 1",
)
NEEDS_OPERATOR = {
    Situation.RELEASED, Situation.RECORDED_BY_OPERATOR, Situation.FIXED, Situation.DEAD_LETTER,
}  # fmt: skip


def _do(model: Model, steps: str) -> None:
    for step in read(steps):
        model.do(step)


def stops_of(run: str, going_on: str = "run_to 0") -> list[str]:
    """Return where a run's last container stops: what is injected elsewhere never happens."""
    model = Model()
    _do(model, f"{run}; {going_on} the-end")
    model.close()
    last = model.trace.index(f"> {going_on} the-end")
    return sorted({stop for line in model.trace[last:] for stop in _STOP.findall(line)})


FAULTS = [
    pytest.param(run, call, fault, id=f"{name} {call} {fault.name}")
    for name, run in RUNS.items()
    for moment, _, call in (stop.partition(":") for stop in stops_of(run))
    if moment == "before"
    for fault in CALL_FAULTS.get(call, ())
]
KILLS = [f"{run}; kill_at 0 {stop}" for run in KILL_RUNS for stop in stops_of(run)]
TROUBLES = [
    f"{run}; work 1; {trouble}"
    for run in EVENT_RUNS
    for stop in stops_of(f"{run}; work 1", "work_to")
    for trouble in (
        f"work_to {stop}; work_kill",
        *(
            f"work_fail {fault}; work_on"
            for fault in ALL_EVENT_FAULTS
            if stop == f"before:{fault.split()[0]}"
        ),
    )
]


def test_random_schedules_keep_the_promise() -> None:
    """No rule is broken in random schedules, which reach every situation but the rarest."""
    result = run_shard(3)
    assert [] == list(map(str, result.violations))
    assert 100 == result.schedules
    assert set(result.unreached) <= RARE


@pytest.mark.parametrize("situation", Situation, ids=lambda situation: situation.name)
def test_every_situation_can_be_reached(situation: Situation) -> None:
    """A known schedule leads there, and it keeps the promise."""
    played = Played(read(situation.schedule))
    assert played.problem is None
    assert situation in played.reached


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


@pytest.mark.parametrize("schedule", TROUBLES)
def test_single_trouble_of_an_events_worker_breaks_no_rule(schedule: str) -> None:
    """Whatever goes wrong with a callback or a lookup: the status is found in the end."""
    assert Played(read(schedule)).problem is None


@pytest.mark.parametrize(
    ("steps", "status", "text"),
    [
        ("decide 0 approve 0; deliver 1; finish 0", Status.SENT, FLAWED[0]),
        ("decide 0 edit 0; deliver 1; finish 0", Status.SENT, EDITED),
        ("decide 0 edit 1", Status.RETRY, ""),
        ("decide 0 edit 1; repeat 0; deliver 1; finish 0", Status.SENT, EDITED),
        ("decide 0 edit 1; queue_approved 0; deliver 1; finish 0", Status.RETRY, ""),
        ("decide 0 edit 1; wait 601; queue_approved 1; deliver 1; finish 0", Status.SENT, EDITED),
        ("decide 0 edit 0; show 1 0; decide 1 reject 0; deliver 1; finish 0", Status.SENT, EDITED),
        ("show 1 0; decide 1 reject 0; decide 0 edit 0", Status.FAILED, ""),
        ("expire; decide 0 reject 0; duplicate 0; finish 0", Status.FAILED, ""),
        ("change_template; decide 0 edit 0; deliver 1; finish 0", Status.AWAITING_APPROVAL, ""),
    ],
)
def test_operator_decides_about_a_draft(steps: str, status: Status, text: str) -> None:
    """The first decision about what was shown counts; the job queues what the command did not."""
    model = Model()
    _do(model, f"{HELD}; kill_at 0 after:hand_off.put; show 0 0; {steps}")
    texts = [sent.message.variables["2"] for sent in model.sender.sent]
    model.close()
    assert (status, [text] if text else []) == (model.store.records[KEY].status, texts)


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


@pytest.mark.parametrize(("settings", "sent"), [("begin 10 0 0 0 1", 0), ("begin 10 0 0 0 1 1", 1)])
def test_failed_checks_may_only_be_reported(settings: str, sent: int) -> None:
    """Then a flawed draft is sent, and no rule is broken."""
    model = Model()
    _do(model, f"{settings}; write_badly 2 0; {CLEAN}; finish 0")
    model.close()
    assert sent == len(model.sender.sent)


def test_schedule_can_be_replayed() -> None:
    """A schedule on one line is read again, and has the same trace each time."""
    text = Situation.KILLED_MARKING_UNKNOWN.schedule
    assert text == written(read(text))
    assert Played(read(text)).trace == Played(read(text)).trace


@pytest.fixture
def model() -> Iterator[Model]:
    """Return a model in which one message is being processed."""
    made = Model()
    _do(made, CLEAN)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("moment", "expected"), [("before", Status.PROCESSING), ("after", Status.SENDING)]
)
def test_killed_container_has_no_effect(model: Model, moment: str, expected: Status) -> None:
    """Killed before a call it never makes it; killed after it, nothing follows."""
    _do(model, f"kill_at 0 {moment}:store.record_intent")
    assert expected is model.store.records[KEY].status
    assert [] == model.sender.sent
    [container] = model.containers
    assert all(task.dead for task in container.tasks)
    assert [] == model.busy


@pytest.mark.parametrize(
    ("steps", "sent", "status"),
    [
        ("fail_at 0 sender.send accepted-answer-lost", 1, Status.SENDING),
        ("fail_at 0 sender.send accepted-answer-lost; finish 0", 1, Status.SENDING),
        ("fail_at 0 sender.send accepted-late; finish 0", 0, Status.SENDING),
        ("fail_at 0 sender.send accepted-late; finish 0; apply_late 0", 1, Status.SENDING),
        ("fail_at 0 store.record_intent repeated-by-sdk", 0, Status.SENDING),
        ("fail_at 0 store.record_intent repeated-by-sdk; finish 0", 1, Status.SENT),
        ("run_to 0 after:sender.send; outage store 3; finish 0", 1, Status.SENT),
    ],
)
def test_fault_has_its_effect(model: Model, steps: str, sent: int, status: Status) -> None:
    """A lost or late answer is an effect that happens; the SDK and the worker repeat writes."""
    _do(model, steps)
    assert sent == len(model.sender.sent)
    assert status is model.store.records[KEY].status


def test_every_fault_of_a_call_has_a_name_of_its_own() -> None:
    """A schedule that names a fault means one, and is read as it was written."""
    for faults in CALL_FAULTS.values():
        names = [fault.name for fault in faults]
        assert len(set(names)) == len(names)
        assert not [name for name in names if not name or set(name) & set(" ;")]


def test_step_without_anything_to_act_on_does_nothing() -> None:
    """A schedule stays valid when steps are taken out of it; an unknown action is an error."""
    text = "finish 3; kill 0; apply_late 0; redrive 0; operator 0; duplicate 0; show 0 0; expire"
    text += (
        "; decide 0 edit 0; repeat 0; queue_approved 0; arrive 0; old_record 0 0; old_record 0 0"
    )
    assert Played(read(text)).problem is None
    with pytest.raises(ValueError, match="unknown action fly"):
        Played(read("fly 1"))


def test_broken_rule_has_its_evidence() -> None:
    """A problem names the rule, and what shows it."""
    mutant = MUTANTS["exists_is_done"]
    problem = Played(read(mutant.schedule[1]), mutant.alter).problem
    assert problem is not None
    assert ((Rule.DELETED_ONLY_IF_SENT,), False) == (problem.rules, problem.is_unresolved)
    assert "deleted" in str(problem)


def test_schedule_is_reduced() -> None:
    """What is left are the steps that are needed, in their order, with low numbers."""

    def shows(shorter: Schedule) -> bool:
        actions = [step.action for step in shorter]
        return actions.count("arrive") > 0 and actions.count("kill") == 2

    schedule = read("arrive 2; lag; arrive 1; deliver 2; kill 4; wait 5; kill 1; foreign_message")
    assert read("arrive 0; kill 0; kill 0") == smallest(schedule, shows)


def test_queue_hides_received_messages_and_ignores_stale_handles() -> None:
    """Visibility ends with time and is shortened by heartbeats; used-up receives kill a message."""
    clock = FakeClock()
    queue = InMemoryQueue(clock)
    queue.max_receives = 3
    queue.put(KEY, BODIES[KEY])
    [message] = queue.visible
    assert queue.receive(message)
    assert (Location.IN_FLIGHT, []) == (queue.location(message), queue.visible)
    clock.advance(VISIBILITY_SECONDS)
    assert (Location.ON_QUEUE, [message]) == (queue.location(message), queue.visible)
    assert queue.receive(message)
    stale = message.handle
    assert frozenset() == queue.extend({"message-1": stale})
    clock.advance(HEARTBEAT_VISIBILITY_SECONDS)
    assert Location.ON_QUEUE is queue.location(message)
    assert queue.receive(message)
    assert frozenset({"message-1"}) == queue.extend({"message-1": stale})
    queue.change_visibility({stale: 0})
    assert Location.IN_FLIGHT is queue.location(message)
    assert not queue.receive(message)
    assert Location.DEAD is queue.location(message)
    queue.redrive(message)
    [again] = queue.messages
    assert (0, "message-2", Location.ON_QUEUE) == (
        again.receives, again.message_id, queue.location(again),
    )  # fmt: skip
    queue.receive(again)
    queue.delete(again.handle)
    assert Location.DELETED is queue.location(again)
    assert queue.receive(again)  # SQS delivers at least once: a copy may have missed the delete
    assert Location.IN_FLIGHT is queue.location(again)
