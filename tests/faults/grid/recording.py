"""Finding the boundaries: the calls of a delivery in which nothing goes wrong but the story."""

from tests.faults.grid.befalling import befall
from tests.faults.grid.cells import Boundary
from tests.faults.grid.held import Held
from tests.faults.grid.journal import Happening
from tests.faults.grid.mapping import Attendance, EventSourceMapping
from tests.faults.grid.runner import Runner
from tests.faults.grid.world import World


def boundaries_of(world: World) -> tuple[Boundary, ...]:
    """Tell a world's story, and return what its scenario examines, in the order of the calls."""
    world.enqueue()
    mapping = EventSourceMapping(world)
    runner: Runner | None = None
    for delivery in range(1, world.scenario.examined + 1):
        runner = mapping.deliver_next(story_of(world, delivery))
    number = runner.number if runner else 0
    events = [event for event in world.journal.events if event.worker == number]
    calls = dict.fromkeys(event.call for event in events if world.scenario.is_examined(event.call))
    changes = {event.call: event.change for event in events if event.what is Happening.APPLIED}
    return tuple(Boundary(world.scenario.name, call, changes.get(call, "")) for call in calls)


def story_of(world: World, delivery: int) -> Attendance:
    """Lets the story's faults of that delivery happen, and no other."""

    def deal(held: Held, runner: Runner) -> None:
        fault = world.scenario.given(delivery, held.call)
        if fault is None:
            held.pass_on()
        else:
            befall(fault, held, runner, world.services, lambda: None)

    return Attendance(lambda call: world.scenario.given(delivery, call) is not None, deal)
