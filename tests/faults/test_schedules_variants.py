"""Random schedules catch every broken variant, and name the rule that it breaks."""

import pytest

from tests.faults.schedules import Played, read, replay, run
from tests.faults.schedules.known import BREAKING
from tests.faults.variants import VARIANTS

QUICKLY_FOUND = ("exists_is_done", "resend_on_unknown", "answer_not_used")


def test_every_variant_has_a_schedule_that_breaks_it() -> None:
    """No variant escapes because nobody looked."""
    assert set(VARIANTS) == set(BREAKING)


@pytest.mark.parametrize("name", BREAKING)
def test_a_variant_is_caught_by_its_schedule(name: str) -> None:
    """The variant breaks a rule that it is known to break; the real thing does not."""
    rule, schedule = BREAKING[name]
    problem = Played(read(schedule), VARIANTS[name].alter).problem
    assert problem is not None
    assert rule in problem.rules
    assert rule in VARIANTS[name].breaks
    assert Played(read(schedule)).problem is None


@pytest.mark.parametrize("name", QUICKLY_FOUND)
def test_a_variant_is_found_by_chance(name: str) -> None:
    """Within a hundred random schedules, and what remains of the schedule shows it as well."""
    result = replay(0, VARIANTS[name].alter)
    [violation] = result.violations
    assert result.schedules < 100
    assert VARIANTS[name].breaks & set(violation.rules)
    problem = Played(read(violation.schedule), VARIANTS[name].alter).problem
    assert problem is not None
    assert violation.rules == problem.rules


def test_a_run_adds_up_and_ends_with_what_it_was_to_find() -> None:
    """A run tells its progress, counts its violations, and for a variant ends with the first."""
    progress: list[tuple[int, int]] = []
    variant = VARIANTS["exists_is_done"]
    result = run(300, 0, lambda done, total: progress.append((done, total)), variant.alter)
    assert [(result.schedules, 300)] == progress
    assert (1, 0, 0) == (result.lost, result.doubled, result.unresolved)
