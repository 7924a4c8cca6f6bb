"""Warm batches: the time for one in which the AI thinks, and what messages cost the processor."""

import time
from collections import defaultdict
from contextlib import ExitStack

from openai import OpenAI

from benchmarks.bundles import Bundle
from benchmarks.figures import Figure, Goal
from benchmarks.runtime import Function
from benchmarks.world import LARGEST_BATCH, World
from tests.faults.report.terminal import OnProgress
from tests.services.channel import API_KEY, MODEL

AI_SECONDS = 2.0
WARMING_BATCHES = 3
COUNTED_BATCHES = 5


def measure_time(world: World, bundles: list[Bundle], rounds: int, tell: OnProgress) -> Figure:
    """Let every contestant work on ten messages whose AI takes two seconds each."""
    seconds: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as running:
        functions = _warm(world, bundles, running)
        world.ai_takes(AI_SECONDS)
        for done in range(rounds):
            seconds["limit"].append(_one_call(world))
            for name, function in functions.items():
                event = world.batch(LARGEST_BATCH)
                seconds[name].append(function.invoke(event))
                world.done(event)
            tell(done + 1, rounds)
    world.ai_takes(0)
    what = f"batch of {LARGEST_BATCH}, {AI_SECONDS:g} s of AI each"
    return Figure(what, "s", seconds, (Goal(1.15, "limit"), Goal(0.15, "straightforward")))


def measure_cost(
    world: World, bundles: list[Bundle], rounds: int, tell: OnProgress
) -> list[Figure]:
    """Let every contestant work on batches of ten whose vendors answer at once."""
    cpu: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, list[float]] = {}
    with ExitStack() as running:
        functions = _warm(world, bundles, running)
        for done in range(rounds):
            for name, function in functions.items():
                cpu[name].append(_cpu_milliseconds(world, function))
            tell(done + 1, rounds)
        for name, function in functions.items():
            memory[name] = [function.peak_memory_mb()]
    goals = (Goal(1.3, "straightforward"), Goal(1.0, "powertools"))
    return [
        Figure("processor time a message, warm", "ms", cpu, goals),
        Figure(
            f"memory with {LARGEST_BATCH} messages at once, peak",
            "MB",
            memory,
            (Goal(1.0, "powertools"),),
        ),
    ]


def _warm(world: World, bundles: list[Bundle], running: ExitStack) -> dict[str, Function]:
    functions = {
        bundle.name: running.enter_context(Function(bundle, world.environment))
        for bundle in bundles
    }
    for function in functions.values():
        _work(world, function, WARMING_BATCHES)
    return functions


def _cpu_milliseconds(world: World, function: Function) -> float:
    """The processor time of one message; over several batches, since it is told in ticks."""
    before = function.cpu_seconds()
    _work(world, function, COUNTED_BATCHES)
    return (function.cpu_seconds() - before) * 1000 / (COUNTED_BATCHES * LARGEST_BATCH)


def _work(world: World, function: Function, batches: int) -> None:
    for _ in range(batches):
        event = world.batch(LARGEST_BATCH)
        function.invoke(event)
        world.done(event)


def _one_call(world: World) -> float:
    """The time of one answer, which nobody's batch can be faster than."""
    with OpenAI(api_key=API_KEY, base_url=world.openai.base_url) as client:
        conversation = client.conversations.create()
        started = time.perf_counter()
        client.responses.create(model=MODEL, input="hello", conversation=conversation.id)
        return time.perf_counter() - started
