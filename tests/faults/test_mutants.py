"""The proof can fail: each mutant has its one mistake, and is caught."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lambda_src.core.batch import BatchHandler
from lambda_src.core.contract import Status
from lambda_src.core.flow import MessageFlow
from tests.faults.model.model import Played
from tests.faults.model.run import run, run_shard
from tests.faults.model.schedules import read
from tests.faults.mutant_runs import broken_in_cell, broken_in_model
from tests.faults.mutants.catalogue import MUTANTS, Mutant, override, substitute
from tests.faults.process_faults.cells import Cell
from tests.faults.process_faults.run import Driver
from tests.support import contexts
from tests.support.runtime import FakeRuntime

ONE_OF_EACH_RULE = ("no_intent", "failures_not_reported", "alarm_after_write", "answer_not_used")
"""Mutants whose cells are quick; the whole proof runs every one."""
QUICKLY_FOUND = ("exists_is_done", "answer_not_used")

every_mutant = pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)


@pytest.mark.parametrize(
    "mutant", [one for one in MUTANTS.values() if one.of is BatchHandler], ids=lambda one: one.name
)
def test_sends_where_nothing_goes_wrong(mutant: Mutant) -> None:
    """A mutant differs from the runtime, and has one mistake, which a clean run does not show."""
    runtime = FakeRuntime()
    original = runtime.batch()
    handler = mutant.alter(original)
    assert handler != original
    assert [] == handler.handle([runtime.delivery(contexts.body(contexts.valid()))])
    assert [runtime.record.vendor_id] == [sent.sid for sent in runtime.sender.sent]
    assert Status.SENT is runtime.record.status


@every_mutant
def test_is_caught_by_its_schedule(mutant: Mutant) -> None:
    """It breaks a rule that its mistake can break; the runtime itself does not."""
    rule, schedule = mutant.schedule
    assert rule in broken_in_model(mutant)
    assert rule in mutant.breaks
    assert Played(read(schedule)).problem is None


@every_mutant
def test_has_a_cell_or_a_reason(mutant: Mutant) -> None:
    """The cell can be run and its rule broken by the mistake; a mutant without a cell says why."""
    assert bool(mutant.cell) != bool(mutant.no_cell)
    if mutant.cell:
        rule, cell = mutant.cell
        assert cell == str(Cell.parse(cell))
        assert rule in mutant.breaks


@pytest.mark.parametrize("name", ONE_OF_EACH_RULE)
def test_is_caught_by_its_cell(name: str, cells: Driver) -> None:
    """Real processes break the rule as well, where the runtime itself keeps it."""
    mutant = MUTANTS[name]
    assert mutant.cell
    assert mutant.cell[0] in broken_in_cell(mutant, cells)


@pytest.mark.parametrize("name", QUICKLY_FOUND)
def test_is_found_by_random_schedules(name: str) -> None:
    """Within a hundred random schedules, and the reduced schedule shows it as well."""
    mutant = MUTANTS[name]
    result = run_shard(0, mutant.alter)
    [violation] = result.violations
    assert result.schedules < 100
    assert mutant.breaks & set(violation.rules)
    schedule = violation.replay.split("'")[1]
    problem = Played(read(schedule), mutant.alter).problem
    assert problem is not None
    assert violation.rules == problem.rules


def test_run_of_a_mutant_ends_with_the_first_violation() -> None:
    """A run reports its progress and counts its violations, and a seed repeats it exactly."""
    progress: list[tuple[int, int]] = []
    mutant = MUTANTS["exists_is_done"]
    with ThreadPoolExecutor(1) as pool:
        result = run(pool, 100, 0, lambda *done: progress.append(done), mutant.alter)
    assert [(result.schedules, 100)] == progress
    assert (1, 0, 0, 0) == result.counts
    assert run_shard(0, mutant.alter) == result


def test_mutation_of_nothing_is_refused() -> None:
    """A mutant whose method or part does not exist any more fails loudly."""
    with pytest.raises(TypeError, match="MessageFlow has no handle_everything"):
        override(MessageFlow, handle_everything=lambda _flow: None)
    with pytest.raises(LookupError, match="no part"):
        substitute(FakeRuntime().batch(), lambda _: False, lambda part: part)
