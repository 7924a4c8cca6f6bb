"""The stacks as a whole, and what tells the environments apart."""

import json

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.infra.outline import inventory, leaves, readable, stable
from tests.infra.synthesis import ENVIRONMENTS, STACKS, Synthesized, synthesize


def as_if_dev(name: str, stack: str) -> dict[str, object]:
    """Return the leaves of a template in which the environment's name is written as dev's."""
    text = stable(json.dumps(synthesize(name).template(stack)))
    for other, own in ((f"-{name}", "-dev"), (f"/{name}/", "/dev/"), (f'"{name}"', '"dev"')):
        text = text.replace(other, own)
    resources = json.loads(text.replace(name.capitalize(), "Dev"))["Resources"]
    return dict(leaves({key: readable(resource) for key, resource in resources.items()}))


@pytest.mark.parametrize("stack", STACKS)
def test_stack(stack: str, dev: Synthesized, json_snapshot: SnapshotAssertion) -> None:
    """A stack has the resources, logical ids and outputs that were reviewed."""
    assert json_snapshot == inventory(dev.template(stack))


@pytest.mark.parametrize("name", [name for name in ENVIRONMENTS if name != "dev"])
def test_environment(name: str, json_snapshot: SnapshotAssertion) -> None:
    """An environment differs from dev in its names and in what was reviewed, nothing else."""
    differences = {}
    for stack in STACKS:
        dev, own = as_if_dev("dev", stack), as_if_dev(name, stack)
        for path in sorted(dev.keys() | own.keys()):
            if dev.get(path) != own.get(path):
                differences[f"{stack}{path}"] = [dev.get(path), own.get(path)]

    assert json_snapshot == differences
