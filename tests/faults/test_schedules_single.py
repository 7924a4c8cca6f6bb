"""One thing going wrong, once, costs no message and needs no person, but where nobody can know."""

import pytest

from tests.faults.schedules import Played, read
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.troubles import TROUBLES, Effect, Trouble
from tests.faults.schedules.workers import MARKS

CLEAN_RUN = "arrive 0; deliver 1"
SETTLING = f"{CLEAN_RUN}; trouble_at 0 sender.send accepted-untold; finish 0; wait_for_queue"
RUNS = {"clean run": CLEAN_RUN, "settling run": f"{SETTLING}; deliver 1"}
NOT_LISTED = f"begin 10 0 0 1; lag; {SETTLING}; deliver 1"
LAST_RECEIVE = f"begin 2 0 0 0; lag; {SETTLING}; deliver 1"
NEEDS_A_PERSON = {Reached.RELEASED, Reached.SETTLED_BY_PERSON, Reached.MENDED, Reached.DEAD_LETTER}

single = [
    pytest.param(call, trouble, id=f"{call} {trouble.name}")
    for call, troubles in TROUBLES.items()
    for trouble in troubles
]


def is_known_to_end(call: str, trouble: Trouble) -> bool:
    """Whether the trouble leaves the message refused, or sent for all that anybody knows."""
    is_refused = trouble.is_refusal or trouble.is_mendable
    never_comes = call == "sender.send" and trouble.effect is Effect.NONE
    return is_refused or (never_comes and trouble.name in {"never-arrived", "unforeseen-none"})


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize(("call", "trouble"), single)
def test_a_single_trouble_is_outlived(run: str, call: str, trouble: Trouble) -> None:
    """The message is sent once and recorded, by the workers alone."""
    played = Played(read(f"{RUNS[run]}; trouble_at 0 {call} {trouble.name}"))
    assert played.problem is None
    if not is_known_to_end(call, trouble):
        assert set() == played.reached & NEEDS_A_PERSON


@pytest.mark.parametrize("run", [*RUNS.values(), NOT_LISTED, LAST_RECEIVE])
@pytest.mark.parametrize("mark", MARKS, ids=str)
def test_a_single_kill_is_outlived(run: str, mark: object) -> None:
    """Wherever a container is killed: the message is sent once in the end, and recorded."""
    assert Played(read(f"{run}; kill_at 0 {mark}")).problem is None
