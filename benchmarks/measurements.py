"""Package size, cold starts, warm batches, a long run, and `cdk synth`."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import boto3
from openai import OpenAI

from benchmarks.backend import BATCH_SIZE, Backend
from benchmarks.bundles import Bundle
from benchmarks.figures import Figure, Goal
from benchmarks.runtime import Function
from lambda_src.core.contract import HANDLER
from local import paths
from tests.faults.report import OnProgress
from tests.support.channel import API_KEY, MODEL

AI_SECONDS = 2.0
WARM_UP_BATCHES = 3
COUNTED_BATCHES = 10
"""Batches in each round of processor time: a full garbage collection is not in every batch."""
LONG_RUN_WARM_UP_MESSAGES = 100
OPERATOR_COMMANDS = ("--help", "status")
OPERATOR_CONTESTANTS = {
    "ours": "",
    "everything": "import boto3, openai.types, lambda_src.utils.context_processor;"
    " from ops.cli import build_app; build_app(); ",
}
"""What is imported before the operator CLI: nothing, or what some of its commands need."""
OPERATOR_TITLE = "Start of the operator CLI"
EMPTY_APP = "from aws_cdk import App, Stack; app = App(); Stack(app, 'Empty'); app.synth()"


def package_size(contestants: Sequence[Bundle]) -> Figure:
    """Measure the zipped packages."""
    sizes = {bundle.name: [bundle.zipped_bytes() / 1_000_000] for bundle in contestants}
    return Figure("package, zipped", "MB", sizes, (Goal(0.4, "straightforward"),))


def cold_starts(
    backend: Backend,
    contestants: Sequence[Bundle],
    limit: Bundle,
    rounds: int,
    on_progress: OnProgress,
) -> list[Figure]:
    """Measure initialization and the first message of new execution environments.

    Packages are unpacked, as when Lambda starts them; their files are in the page cache.
    """
    inits: dict[str, list[float]] = defaultdict(list)
    firsts: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds + 1):
        for bundle in (*contestants, limit):
            event = backend.receive(0 if bundle is limit else 1)
            with Function(bundle, backend.environment) as function:
                first = function.invoke(event)
                backend.finish(event)
                init = function.init_seconds
            if number:  # the first round warms the page cache
                inits[bundle.name].append(init)
                if bundle is not limit:
                    firsts[bundle.name].append(first)
        on_progress(number, rounds)
    return [
        Figure("cold start until the first event", "s", inits, (Goal(0.3, "straightforward"),)),
        Figure(
            "cold start until the first message is sent",
            "s",
            firsts,
            (Goal(0.33, "straightforward"),),
        ),
    ]


def batch_duration(
    backend: Backend, contestants: Sequence[Bundle], rounds: int, on_progress: OnProgress
) -> Figure:
    """Measure a warm batch of ten messages with an AI time of two seconds each."""
    seconds: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as running:
        functions = _start(backend, contestants, running)
        backend.set_ai_seconds(AI_SECONDS)
        for number in range(rounds):
            seconds["limit"].append(_ai_seconds(backend))
            for name, function in functions.items():
                seconds[name].append(_process(backend, function))
            on_progress(number + 1, rounds)
    backend.set_ai_seconds(0)
    what = f"batch of {BATCH_SIZE}, {AI_SECONDS:g} s of AI each"
    return Figure(what, "s", seconds, (Goal(1.1, "limit"), Goal(0.15, "straightforward")))


def resources(
    backend: Backend, contestants: Sequence[Bundle], rounds: int, on_progress: OnProgress
) -> list[Figure]:
    """Measure processor time and memory of warm batches of ten with an immediate AI.

    Each round has new execution environments, since each has another layout of its memory, and
    another contestant begins.
    """
    cpu: dict[str, list[float]] = defaultdict(list)
    memory: dict[str, list[float]] = defaultdict(list)
    for number in range(rounds):
        begins = number % len(contestants)
        with ExitStack() as running:
            functions = _start(backend, [*contestants[begins:], *contestants[:begins]], running)
            for name, function in functions.items():
                cpu[name].append(_cpu_milliseconds(backend, function))
                memory[name].append(function.peak_memory_mb())
        on_progress(number + 1, rounds)
    return [
        Figure(
            "processor time per message, warm",
            "ms",
            cpu,
            (Goal(1.05, "straightforward"), Goal(1.0, "powertools")),
        ),
        Figure(
            f"peak memory with {BATCH_SIZE} concurrent messages",
            "MB",
            memory,
            (Goal(1.0, "powertools"),),
        ),
    ]


def long_run(
    backend: Backend, bundle: Bundle, messages: int, rounds: int, on_progress: OnProgress
) -> list[Figure]:
    """Compare an execution environment after a long run with itself before it, and with a new one.

    Its memory is compared with that of its first tenth, and its processor time, in turns, with
    that of an environment that was only warmed up: the machine's speed varies during a long run.
    """
    batches = messages // BATCH_SIZE
    tenth = max(1, batches // 10)
    memory: list[float] = []
    cpu: dict[str, list[float]] = {"ours": [], "limit": []}
    with Function(bundle, backend.environment) as old, Function(bundle, backend.environment) as new:
        for function in (old, new):
            for _ in range(LONG_RUN_WARM_UP_MESSAGES // BATCH_SIZE):
                _process(backend, function)
        for number in range(batches):
            _process(backend, old)
            memory.append(old.memory_mb())
            on_progress((number + 1) * BATCH_SIZE, messages)
        for _ in range(rounds):
            cpu["ours"].append(_cpu_milliseconds(backend, old))
            cpu["limit"].append(_cpu_milliseconds(backend, new))
    used = {"ours": memory[-tenth:], "limit": memory[:tenth]}
    return [
        Figure(f"after {messages:,} messages, processor time", "ms", cpu, (Goal(1.1, "limit"),)),
        Figure(f"the last of {messages:,} messages, memory", "MB", used, (Goal(1.05, "limit"),)),
    ]


def synthesis(rounds: int, on_progress: OnProgress) -> Figure:
    """Measure `cdk synth` without changes, and of an app with one empty stack."""
    seconds: dict[str, list[float]] = {"ours": [], "limit": []}
    with tempfile.TemporaryDirectory() as scratch:
        empty = f'{sys.executable} -c "{EMPTY_APP}"'
        for number in range(rounds + 1):
            ours = _synthesize(paths.ROOT, Path(scratch) / "ours", "-c", "env=dev")
            limit = _synthesize(Path(scratch), Path(scratch) / "empty", "--app", empty)
            if number:  # the first round builds the package if necessary
                seconds["ours"].append(ours)
                seconds["limit"].append(limit)
            on_progress(number, rounds)
    return Figure("cdk synth, warm, nothing changed", "s", seconds, (Goal(1.5, "limit"),))


def operator_cli(backend: Backend, rounds: int, on_progress: OnProgress) -> list[Figure]:
    """Measure the operator CLI's processor time, also after importing everything.

    It waits for AWS as well, but as long as before.
    """
    _create_channel(backend)
    seconds: dict[str, dict[str, list[float]]] = {
        name: {contestant: [] for contestant in OPERATOR_CONTESTANTS} for name in OPERATOR_COMMANDS
    }
    with tempfile.TemporaryDirectory() as bytecode:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": bytecode}
        for number in range(rounds + 1):
            for name, measured in seconds.items():
                for contestant, imports in OPERATOR_CONTESTANTS.items():
                    program = f"{imports}from ops import main; main()"
                    before = _cpu_seconds_of_children()
                    _run([sys.executable, "-c", program, name], environment)
                    if number:  # the first round writes the bytecode
                        measured[contestant].append(_cpu_seconds_of_children() - before)
            on_progress(number, rounds)
    goal = Goal(0.5, "everything")
    return [
        Figure(f"ops {name}, processor time", "s", measured, (goal,))
        for name, measured in seconds.items()
    ]


def _create_channel(backend: Backend) -> None:
    """Create what `ops status` finds of a channel: a stack with outputs, and its function."""
    variables = {
        **backend.environment,
        "HANDOFF_QUEUE_URL": backend.environment["QUEUE_URL"],
        "POWERTOOLS_METRICS_NAMESPACE": "bench",
    }
    name = "whatsapp-channel-processor-dev"
    role = boto3.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    functions = boto3.client("lambda")
    functions.create_function(
        FunctionName=name,
        Role=role["Role"]["Arn"],
        Runtime="python3.13",
        Handler=HANDLER,
        Code={"ZipFile": b"none"},
        Environment={
            "Variables": {each: variables[each] for each in variables if "AWS_" not in each}
        },
        Publish=True,
    )
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    outputs = {
        "FunctionName": name,
        "FunctionAlias": "live",
        "DeadLetterQueueUrl": variables["QUEUE_URL"],
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {each: {"Value": value} for each, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(
        StackName="ai-multi-comms-whatsapp-dev", TemplateBody=json.dumps(template)
    )


def _start(
    backend: Backend, contestants: Sequence[Bundle], running: ExitStack
) -> Mapping[str, Function]:
    """Start and warm up a function of each contestant."""
    functions = {
        bundle.name: running.enter_context(Function(bundle, backend.environment))
        for bundle in contestants
    }
    for function in functions.values():
        for _ in range(WARM_UP_BATCHES):
            _process(backend, function)
    return functions


def _process(backend: Backend, function: Function) -> float:
    """Process a batch of ten; return the duration in seconds."""
    event = backend.receive(BATCH_SIZE)
    seconds = function.invoke(event)
    backend.finish(event)
    return seconds


def _cpu_milliseconds(backend: Backend, function: Function) -> float:
    """Process some batches; return the processor time of a message."""
    before = function.cpu_seconds()
    for _ in range(COUNTED_BATCHES):
        _process(backend, function)
    return (function.cpu_seconds() - before) * 1000 / (COUNTED_BATCHES * BATCH_SIZE)


def _ai_seconds(backend: Backend) -> float:
    """Return the duration of one AI call, the lower limit of a batch."""
    with OpenAI(api_key=API_KEY, base_url=backend.openai.base_url) as client:
        conversation = client.conversations.create()
        started = time.perf_counter()
        client.responses.create(model=MODEL, input="hello", conversation=conversation.id)
        return time.perf_counter() - started


def _synthesize(directory: Path, output: Path, *arguments: str) -> float:
    command = [str(paths.CDK), "synth", "--no-notices", "--quiet", "--output", str(output)]
    path = f"{paths.VENV_BIN}{os.pathsep}{os.environ['PATH']}"
    return _run([*command, *arguments], {**os.environ, "PATH": path}, directory)


def _run(
    command: Sequence[str], environment: Mapping[str, str], directory: Path = paths.ROOT
) -> float:
    """Run a command that must succeed; return its duration in seconds."""
    started = time.perf_counter()
    subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)  # noqa: S603 - our own arguments
    return time.perf_counter() - started


def _cpu_seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
