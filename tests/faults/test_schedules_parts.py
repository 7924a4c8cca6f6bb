"""What the schedules stand on: work that stops at each call, what goes wrong, and who is dead."""

from collections.abc import Iterator
from functools import partial

import pytest

from lambda_src.core.contract import Status
from tests.faults.rules import Rule
from tests.faults.schedules.judge import RuleBroken
from tests.faults.schedules.mail import KEYS
from tests.faults.schedules.playing import Played, smallest
from tests.faults.schedules.steps import Step, read
from tests.faults.schedules.tasks import Moment, Task, current
from tests.faults.schedules.troubles import TROUBLES
from tests.faults.schedules.universe import Universe
from tests.faults.variants import VARIANTS

KEY = KEYS[0]


@pytest.fixture
def universe() -> Iterator[Universe]:
    """One message is being worked on."""
    made = Universe()
    made.do(Step("arrive", (0,)))
    made.do(Step("deliver", (1,)))
    yield made
    made.close()


def test_work_stops_before_and_after_its_call_and_goes_on_when_told() -> None:
    """Two tasks change places where they stand, and nowhere else."""
    done: list[str] = []

    def work(name: str) -> None:
        current().stand(Moment.BEFORE, name)
        done.append(name)
        current().stand(Moment.AFTER, name)

    first, second = (Task(partial(work, name)) for name in ("first", "second"))
    for task in (first, second, second, first):
        task.go_on()
    assert ["second", "first"] == done
    assert "after:first" == str(first.at)
    first.go_on()
    assert (True, False) == (first.dead, second.dead)
    second.end()


def test_a_task_that_waits_is_not_ready_until_it_is_so() -> None:
    """Nobody wakes what has nothing to do."""
    arrived: list[str] = []
    task = Task(lambda: current().wait_until(lambda: bool(arrived)))
    task.go_on()
    before = task.is_ready
    arrived.append("it")
    assert [False, True] == [before, task.is_ready]
    task.go_on()
    assert task.dead


@pytest.mark.parametrize("moment", Moment)
def test_a_dead_container_takes_no_effect(universe: Universe, moment: Moment) -> None:
    """Killed before a call it never makes it; killed after it, nothing follows."""
    universe.do(Step("kill_at", (0, f"{moment}:conversations.begin_send")))
    record = universe.world.table.records[KEY]
    expected = Status.PROCESSING if moment is Moment.BEFORE else Status.SENDING
    assert (expected, []) == (record.status, universe.world.vendor.sent)
    [container] = universe.workers.containers
    assert all(task.dead for task in container.tasks)
    assert [] == universe.workers.busy


def test_a_lost_answer_is_an_effect_that_happened(universe: Universe) -> None:
    """The vendor has the message; its sender does not know."""
    universe.do(Step("trouble_at", (0, "sender.send", "accepted-untold")))
    assert 1 == len(universe.world.vendor.sent)
    universe.do(Step("finish", (0,)))
    assert Status.SENDING is universe.world.table.records[KEY].status


def test_a_late_effect_happens_when_it_is_let(universe: Universe) -> None:
    """The sender gave up, and then the vendor accepts."""
    universe.do(Step("trouble_at", (0, "sender.send", "accepted-late")))
    universe.do(Step("finish", (0,)))
    assert [] == universe.world.vendor.sent
    universe.do(Step("late", (0,)))
    assert 1 == len(universe.world.vendor.sent)


def test_a_write_repeated_by_the_sdk_finds_itself(universe: Universe) -> None:
    """Others may come in between the two; here nobody does, and the work goes on."""
    universe.do(Step("trouble_at", (0, "conversations.begin_send", "repeated-by-sdk")))
    assert Status.SENDING is universe.world.table.records[KEY].status
    universe.do(Step("finish", (0,)))
    assert Status.SENT is universe.world.table.records[KEY].status


def test_a_service_that_is_down_answers_none_of_the_next_calls(universe: Universe) -> None:
    """The worker tries its final write again and again, until the table answers."""
    universe.do(Step("go_to", (0, "after:sender.send")))
    universe.do(Step("outage", ("conversations", 3)))
    universe.do(Step("finish", (0,)))
    assert Status.SENT is universe.world.table.records[KEY].status


@pytest.mark.parametrize("call", TROUBLES)
def test_every_trouble_of_a_call_has_a_name_of_its_own(call: str) -> None:
    """A schedule that names a trouble means one, and is read as it was written."""
    names = [trouble.name for trouble in TROUBLES[call]]
    assert len(set(names)) == len(names)
    assert not [name for name in names if not name or set(name) & set(" ;")]


def test_a_step_without_anything_to_act_on_does_nothing() -> None:
    """A schedule stays a schedule when steps are taken out of it."""
    played = Played(read("finish 3; kill 0; late 0; redrive 0; person 0; duplicate 0; arrive 0"))
    assert played.problem is None


def test_a_broken_rule_is_told_with_its_evidence() -> None:
    """Which rule, and what shows it."""
    schedule = read("arrive 0; deliver 1; kill_at 0 before:writer.write")
    problem = Played(schedule, VARIANTS["exists_is_done"].alter).problem
    assert isinstance(problem, RuleBroken)
    assert (Rule.DELETED_ONLY_IF_SENT,) == problem.rules
    assert "deleted" in str(problem)


def test_a_schedule_is_made_as_small_as_it_can_be() -> None:
    """What is left are the steps that it takes, in their order, with low numbers."""
    schedule = read("arrive 2; lag; arrive 1; deliver 2; kill 4; wait 5; kill 1; foreign")

    def shows(shorter: tuple[Step, ...]) -> bool:
        actions = [step.action for step in shorter]
        return actions.count("arrive") > 0 and actions.count("kill") == 2

    expected = read("arrive 0; kill 0; kill 0")
    assert expected == smallest(schedule, shows)
