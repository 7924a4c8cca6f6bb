"""The resources that a deployment would change, as `cdk diff` reports them."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from local.aws import base_environment
from local.deployment import start_cdk
from tests.infra.synthesis import STACKS, Synthesized, assemble, environment, stub_package

CHANGE = re.compile(r"^\[[~+-]\] (?P<kind>AWS::\S+) ", re.MULTILINE)
OF_THE_CODE = {"AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias"}


def changes(deployed: Synthesized, wanted: Synthesized, log: Path) -> dict[str, list[str]]:
    """Return the types of the resources that a deployment would change, by stack."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda stack: list(_changes(stack, deployed, wanted, log)), STACKS)
        return dict(zip(STACKS, found, strict=True))


def _changes(
    stack: str, deployed: Synthesized, wanted: Synthesized, directory: Path
) -> Iterator[str]:
    log = directory / f"{stack}.log"
    before = deployed.directory / f"{stack}.template.json"
    what = ("--app", str(wanted.directory), "--exclusively", stack, "--template", str(before))
    with start_cdk("diff", *what, env=base_environment(), cwd=directory, log=log) as cdk:
        status = cdk.wait()
    text = log.read_text()
    assert (0, True) == (status, "Number of stacks with differences" in text), text
    return (change["kind"] for change in CHANGE.finditer(text))


@pytest.fixture(scope="module")
def deployed() -> Synthesized:
    """Return the deployed templates."""
    return assemble(environment(), stub_package())


def test_same_sources(deployed: Synthesized, tmp_path: Path) -> None:
    """A synth of the same sources changes nothing."""
    again = assemble(environment(), stub_package())
    assert {stack: [] for stack in STACKS} == changes(deployed, again, tmp_path)


def test_change_of_the_code(deployed: Synthesized, tmp_path: Path) -> None:
    """New code makes a new version of the function behind its alias, and changes nothing else."""
    changed = changes(deployed, assemble(environment(), stub_package(edition=1)), tmp_path)
    assert not changed["Shared"]
    assert sorted(OF_THE_CODE) == sorted(set(changed["WhatsApp"]))


def test_change_of_an_environment(deployed: Synthesized, tmp_path: Path) -> None:
    """A change of one key changes one resource."""
    wanted = assemble(environment(log_retention_days=30), stub_package())
    assert {"Shared": [], "WhatsApp": ["AWS::Logs::LogGroup"]} == changes(
        deployed, wanted, tmp_path
    )
