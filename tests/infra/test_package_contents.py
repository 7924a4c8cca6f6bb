"""The real package: what was cut is not missed, and it fits what it is built for."""

import subprocess
import sys
from pathlib import Path

import pytest

from stacks.lambda_package import LambdaPackage
from stacks.package_contents import EXCLUDED_DISTRIBUTIONS
from stacks.package_target import Target
from tests.infra.packages import real_package

CALLED = ("dynamodb", "secretsmanager", "sqs")
UNZIPPED_LIMIT_MB = 250
EM_AARCH64 = 0xB7


@pytest.fixture(scope="session")
def arm_package() -> LambdaPackage:
    """Return the real package for Python 3.13 on arm64."""
    return real_package(Target(python="3.13", platform="aarch64-manylinux2014"))


def _python(package: LambdaPackage, program: str) -> str:
    """Run a program that sees the standard library and the package, in an empty environment."""
    alone = [sys.executable, "-I", "-S", "-B", "-c"]
    done = subprocess.run(  # noqa: S603  # our own programs, and no shell
        [*alone, f"import sys; sys.path.insert(0, '.')\n{program}"],
        cwd=package.directory,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


def test_aws_clients_can_be_made(host_package: LambdaPackage) -> None:
    """Each AWS service that the runtime calls has its client, with regions and endpoints."""
    program = f"""
import boto3
session = boto3.Session("a", "b", region_name="eu-west-1")
for service in {CALLED}:
    print(session.client(service).meta.endpoint_url)
"""

    expected = [f"https://{service}.eu-west-1.amazonaws.com" for service in CALLED]
    assert expected == _python(host_package, program).splitlines()


@pytest.mark.parametrize(
    "program",
    [
        "from twilio.rest import Client; Client('AC0', 'x').messages",
        "from twilio.http.http_client import TwilioHttpClient; TwilioHttpClient(timeout=1)",
        "import openai; c = openai.OpenAI(api_key='x'); c.responses, c.conversations",
        "import openai; openai.OpenAI(api_key='x').beta.threads.runs",
        "from aws_lambda_powertools import Logger; Logger(service='x').info('y')",
        "from aws_lambda_powertools.utilities import parameters; parameters.SecretsProvider",
        "import pydantic; pydantic.TypeAdapter(pydantic.AwareDatetime).json_schema()",
        "import tenacity; tenacity.Retrying",
        "from lambda_src.index import lambda_handler",
    ],
    ids=lambda program: program.split(";")[0],
)
def test_libraries_work(host_package: LambdaPackage, program: str) -> None:
    """What the runtime uses of its libraries works without what was left out."""
    _python(host_package, program)


@pytest.mark.parametrize("target", ["host_package", "arm_package"])
def test_excluded_distributions_are_absent(target: str, request: pytest.FixtureRequest) -> None:
    """What is said to be left out is not there, under any name."""
    package: LambdaPackage = request.getfixturevalue(target)
    excluded = {name.replace("-", "_") for name in EXCLUDED_DISTRIBUTIONS}

    present = {path.name.split("-")[0] for path in package.directory.iterdir()}
    assert set() == excluded & present


def test_compiled_modules_fit_the_function(arm_package: LambdaPackage) -> None:
    """Compiled modules are for the function's Python and architecture, whatever built them."""
    modules = list(arm_package.directory.rglob("*.so"))

    assert modules
    for module in modules:
        assert "aarch64" in module.name, module
        assert "cpython-313" in module.name or "abi3" in module.name, module
        assert EM_AARCH64 == _elf_machine(module), module


def _elf_machine(module: Path) -> int:
    return int.from_bytes(module.read_bytes()[18:20], "little")


def test_lambda_takes_the_package(arm_package: LambdaPackage) -> None:
    """The package is well below what Lambda unzips."""
    size = sum(path.stat().st_size for path in arm_package.directory.rglob("*") if path.is_file())

    assert size / 1_000_000 < UNZIPPED_LIMIT_MB / 2


def test_distributions_still_know_their_versions(host_package: LambdaPackage) -> None:
    """Libraries that ask for versions at import or later find them."""
    program = "from importlib.metadata import version; print(version('openai'), version('boto3'))"

    openai, boto3 = _python(host_package, program).split()
    assert "3." == openai[:2]
    assert "1." == boto3[:2]
