"""Many messages in one execution environment: whether the thousandth costs more than the first."""

from collections.abc import Iterator

from benchmarks.bundles import Bundle
from benchmarks.figures import Figure, Goal
from benchmarks.runtime import Function
from benchmarks.world import LARGEST_BATCH, World
from tests.faults.report.terminal import OnProgress

WARMING_MESSAGES = 100


def measure(world: World, bundle: Bundle, messages: int, tell: OnProgress) -> list[Figure]:
    """Let one environment work on so many messages; compare its last tenth with its first.

    The limit is what it needed at first, once it was warm.
    """
    cpu: list[float] = []
    memory: list[float] = []
    with Function(bundle, world.environment) as function:
        for size in _batches(WARMING_MESSAGES):
            _work(world, function, size)
        for done, size in enumerate(_batches(messages), 1):
            before = function.cpu_seconds()
            _work(world, function, size)
            cpu.append((function.cpu_seconds() - before) * 1000 / size)
            memory.append(function.memory_mb())
            tell(done * LARGEST_BATCH, messages)
    return [
        _figure(f"the last of {messages:,} messages, processor time", "ms", cpu, at_most=1.1),
        _figure(f"the last of {messages:,} messages, memory", "MB", memory, at_most=1.05),
    ]


def _batches(messages: int) -> Iterator[int]:
    return iter([LARGEST_BATCH] * (messages // LARGEST_BATCH))


def _work(world: World, function: Function, size: int) -> None:
    event = world.batch(size)
    function.invoke(event)
    world.done(event)


def _figure(what: str, unit: str, values: list[float], *, at_most: float) -> Figure:
    tenth = max(1, len(values) // 10)
    ends = {"ours": values[-tenth:], "limit": values[:tenth]}
    return Figure(what, unit, ends, (Goal(at_most, "limit"),))
