"""The proof can fail: each mutant is caught, and what is not proven is no success."""

import pytest
from rich.console import Console

from tests.faults.command import Finding, Proof, broken_in_cell, broken_in_model
from tests.faults.model.model import Played, read
from tests.faults.model.run import run_shard
from tests.faults.mutants.catalogue import MUTANTS, Mutant
from tests.faults.process_faults.run import Driver
from tests.faults.rules import Result, Rule, Violation

ONE_OF_EACH_RULE = ("no_intent", "failures_not_reported", "alarm_after_write", "answer_not_used")
"""Mutants whose cells are quick; the whole proof runs every one."""
QUICKLY_FOUND = ("exists_is_done", "answer_not_used")


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_is_caught_by_its_schedule(mutant: Mutant) -> None:
    """It breaks a rule that its mistake can break; the runtime itself does not."""
    assert mutant.breaks & set(broken_in_model(mutant))
    assert Played(read(mutant.schedule)).problem is None


@pytest.mark.parametrize("name", ONE_OF_EACH_RULE)
def test_is_caught_by_its_cell(name: str, cells: Driver) -> None:
    """Real processes break the rule as well, where the runtime itself keeps it."""
    mutant = MUTANTS[name]
    assert mutant.breaks & set(broken_in_cell(mutant, cells))


@pytest.mark.parametrize("name", QUICKLY_FOUND)
def test_is_found_by_random_schedules(name: str) -> None:
    """Within a hundred random schedules, and the reduced schedule shows it as well."""
    mutant = MUTANTS[name]
    [violation] = run_shard(0, mutant.alter).violations
    assert mutant.breaks & set(violation.rules)
    problem = Played(read(violation.replay.split("'")[1]), mutant.alter).problem
    assert problem is not None
    assert violation.rules == problem.rules


@pytest.mark.parametrize(
    ("expected", "violations", "unproven"),
    [
        (True, (), []),
        (False, (Violation(subject="a cell", rules=(Rule.BACK_SOON,), what=""),), []),
        (False, (), ["original: not caught"]),
    ],
)
def test_proof_is_clean_only_if_it_could_have_failed(
    expected: bool, violations: tuple[Violation, ...], unproven: list[str]
) -> None:
    """A broken rule of ours is a failure, and so is a mutant or a competitor without one."""
    found = Finding("cells", Result(violations=violations), seconds=90)
    assert expected is Proof(Console(), ours=[found], unproven=unproven).is_clean
