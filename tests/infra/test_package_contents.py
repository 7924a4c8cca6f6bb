"""The real package: nothing that the runtime needs is missing, and it fits the function."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest

from local.fakes import FakeOpenAI, FakeTwilio
from local.fakes.faults import Fault, Match
from stacks.packaging.contents import EXCLUDED_DISTRIBUTIONS, SERVICES
from stacks.packaging.lambda_package import LambdaPackage
from tests.infra.packages import missing_imports, real_package
from tests.infra.test_packaging import ARM
from tests.support import aws_account
from tests.support.aws_server import aws_server
from tests.support.channel import Change, Channel, context, openai_config, recipient_data

ALONE = (sys.executable, "-I", "-S", "-B", "-c")
"""Python with the standard library only."""
PROGRAM = """
import json, sys
from types import SimpleNamespace
sys.path.insert(0, ".")
from lambda_src.index import lambda_handler
context = SimpleNamespace(get_remaining_time_in_millis=lambda: 170_000)
for line in sys.stdin:
    lambda_handler(json.loads(line), context)
    print("handled", flush=True)
print(json.dumps(sorted(sys.modules)))
"""
"""Handles the SQS events of its input, one a line, and prints what it imported."""
IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError", "No module named")
UNZIPPED_LIMIT_MB = 250
EM_AARCH64 = 0xB7

UNUSED_IMPORTS = {
    "botocore.useragent": "for type checkers",
    "openai._client": "each product's own attribute, and for type checkers",
    "openai._module_client": "for the module-level client",
    "openai.resources": "each product by its name, and for type checkers",
    "twilio.rest": "each product's own attribute, and for type checkers",
}
"""Modules that import what is not packed -> why the import is never executed."""

Preparation = Callable[[FakeOpenAI, FakeTwilio], None]


class _Step(NamedTuple):
    """One delivery: a conversation, its status afterwards, and what is special about it."""

    name: str
    status: str
    prepare: Preparation = lambda openai, twilio: None  # noqa: ARG005 - nothing
    change: Change = lambda document: None  # noqa: ARG005 - nothing
    receive_count: int = 1


def _openai(fault: Fault | str) -> Preparation:
    return lambda openai, _: openai.fail_next(fault)


def _twilio(fault: Fault | str) -> Preparation:
    return lambda _, twilio: twilio.fail_next(fault, match=Match(method="POST"))


# fmt: off
SENT = "initial_message_sent"
STEPS = (
    _Step("clean", SENT),
    _Step("clean", SENT),
    _Step("threads", SENT, change=lambda body: openai_config(body).update(engine="assistants")),
    _Step("refused", "failed", change=lambda body: recipient_data(body).update(comms_consent=0)),
    _Step("ai error", "retry", _openai("server_error")),
    _Step("ai rate", "retry", _openai("rate_limit_exceeded")),
    _Step("ai key", SENT, _openai("invalid_api_key")),
    _Step("ai invalid", "failed", _openai("invalid_value")),
    _Step("ai reset", "retry", _openai(Fault.reset())),
    _Step("ai empty", "retry", _openai(Fault.empty())),
    _Step("ai page", "retry", _openai(Fault.not_json())),
    _Step("send refused", "failed", _twilio("21211")),
    _Step("send rate", "retry", _twilio("20429")),
    _Step("send key", SENT, _twilio("20003")),
    _Step("send page", "sending", _twilio(Fault.not_json())),
    _Step("send reset", "sending", _twilio(Fault.reset(effect_applied=True))),
    _Step("send reset", SENT, receive_count=aws_account.MAX_RECEIVE_COUNT),
)
# fmt: on
"""In this order; the last delivery finds its message in the vendor's list."""


class _Run(NamedTuple):
    """The record's status after each step, and what the handler printed and imported."""

    statuses: list[str]
    output: list[str]
    modules: list[str]


@pytest.fixture(scope="module")
def run(host_package: LambdaPackage) -> Iterator[_Run]:
    """Run all steps in a process that can import only the package."""
    with (
        aws_server() as aws,
        patch.dict(os.environ, aws),
        aws_account.fake_openai() as openai,
        aws_account.fake_twilio() as twilio,
    ):
        yield _run(host_package, openai, twilio)


@pytest.fixture(scope="session")
def arm_package() -> LambdaPackage:
    """Return the real package for Python 3.13 on arm64."""
    return real_package(ARM)


def test_every_step_ends_in_its_status(run: _Run) -> None:
    """Every path works from the package alone, and imports only what is packed.

    The paths are sends, errors, repetitions and reconciliation.
    """
    assert [] == [line for line in run.output if any(e in line for e in IMPORT_ERRORS)]
    assert [step.status for step in STEPS] == run.statuses


def test_missing_imports_are_unused(run: _Run, host_package: LambdaPackage) -> None:
    """Of the imported modules, only the listed ones have imports of what is not packed."""
    missing = missing_imports(host_package.directory, run.modules)
    assert set(UNUSED_IMPORTS) == set(missing), missing


def test_aws_clients(host_package: LambdaPackage) -> None:
    """Each AWS service that the runtime calls has its client, with regions and endpoints."""
    program = f"""
from botocore.session import get_session
for service in {sorted(SERVICES)}:
    client = get_session().create_client(
        service, "eu-west-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    print(client.meta.endpoint_url)
"""
    expected = [f"https://{service}.eu-west-1.amazonaws.com" for service in sorted(SERVICES)]
    assert expected == _python(host_package, program).splitlines()


@pytest.mark.parametrize("target", ["host_package", "arm_package"])
def test_excluded_distributions_are_absent(target: str, request: pytest.FixtureRequest) -> None:
    """Excluded distributions are not in the package, under any name."""
    package: LambdaPackage = request.getfixturevalue(target)
    excluded = {name.replace("-", "_") for name in EXCLUDED_DISTRIBUTIONS}
    present = {path.name.split("-")[0] for path in package.directory.iterdir()}
    assert set() == excluded & present


def test_package_fits_the_function(arm_package: LambdaPackage) -> None:
    """Compiled modules are for the function's Python and platform; the size is within the limit."""
    modules = list(arm_package.directory.rglob("*.so"))
    size = sum(path.stat().st_size for path in arm_package.directory.rglob("*") if path.is_file())
    assert modules
    for module in modules:
        assert "aarch64" in module.name, module
        assert "cpython-313" in module.name or "abi3" in module.name, module
        assert EM_AARCH64 == int.from_bytes(module.read_bytes()[18:20], "little"), module
    assert size / 1_000_000 < UNZIPPED_LIMIT_MB / 2


def _python(package: LambdaPackage, program: str) -> str:
    """Run a program with the standard library and the package, in an empty environment."""
    command = [*ALONE, f"import sys; sys.path.insert(0, '.')\n{program}"]
    options: Any = {"cwd": package.directory, "env": {}, "capture_output": True, "timeout": 60}
    done = subprocess.run(command, text=True, check=False, **options)  # noqa: S603 - our own
    assert 0 == done.returncode, done.stderr
    return str(done.stdout).strip()


def _run(package: LambdaPackage, openai: FakeOpenAI, twilio: FakeTwilio) -> _Run:
    aws_account.create_secrets()
    queue_url, table = aws_account.create_queue(), aws_account.create_table()
    variables = aws_account.variables(queue_url, table, openai, twilio)
    process: Any = subprocess.Popen(  # noqa: S603  # our own program, and no shell
        [*ALONE, PROGRAM],
        cwd=package.directory,
        env={name: v for name, v in os.environ.items() if name.startswith("AWS_")} | variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    output, statuses = [], []

    def handle(event: dict[str, Any], _: object) -> dict[str, Any]:
        process.stdin.write(json.dumps(event) + "\n")
        process.stdin.flush()
        while (line := process.stdout.readline().strip()) not in {"handled", ""}:
            output.append(line)
        return {"batchItemFailures": []}

    resources: Any = {"queue_url": queue_url, "handoff_url": "", "table": table}
    resources |= {"openai": openai, "twilio": twilio}
    clients = vars(aws_account.clients())
    channel = Channel(**clients, **resources, read_log=list, read_metrics=list)
    names = list(dict.fromkeys(step.name for step in STEPS))
    for step in STEPS:
        step.prepare(openai, twilio)
        # One for each conversation, because a send is looked up by its text, always the same.
        number = f"+4477009001{names.index(step.name):02}"
        address = {"recipient_tel": number}
        change = lambda body, new=address: recipient_data(body).update(new)  # noqa: E731
        body = context(step.change, change, conversation_id=step.name)
        channel.deliver(body, receive_count=step.receive_count, handler=handle)
        statuses.append(channel.record(step.name, number)["conversation_status"])
    rest, _ = process.communicate(timeout=60)
    *others, modules = rest.splitlines()
    return _Run(statuses, [*output, *others], json.loads(modules))
