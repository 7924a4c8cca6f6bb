"""Cold starts: how long a new execution environment takes until it can work, and until it has."""

from collections import defaultdict

from benchmarks.bundles import Bundle
from benchmarks.figures import Figure, Goal
from benchmarks.runtime import Function
from benchmarks.world import World
from tests.faults.report.terminal import OnProgress


def measure(
    world: World, bundles: list[Bundle], limit: Bundle, rounds: int, tell: OnProgress
) -> list[Figure]:
    """Start every contestant anew in every round, and give each a message at once.

    The bundles lie unpacked, as Lambda starts them, and their files are in the page cache.
    """
    inits: dict[str, list[float]] = defaultdict(list)
    firsts: dict[str, list[float]] = defaultdict(list)
    for done in range(rounds + 1):
        for bundle in (*bundles, limit):
            init, first = _start(world, bundle, messages=0 if bundle is limit else 1)
            if done and bundle is not limit:
                firsts[bundle.name].append(first)
            if done:  # the first round warms the machine's caches
                inits[bundle.name].append(init)
        tell(done, rounds)
    return [
        Figure("cold start until the first event", "s", inits, (Goal(0.3, "straightforward"),)),
        Figure(
            "cold start until the first message is sent",
            "s",
            firsts,
            (Goal(0.5, "straightforward"),),
        ),
    ]


def _start(world: World, bundle: Bundle, messages: int) -> tuple[float, float]:
    event = world.batch(messages)
    with Function(bundle, world.environment) as function:
        first = function.invoke(event)
        world.done(event)
        return function.init_seconds, first
