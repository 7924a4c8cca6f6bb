"""Snapshots: each part of a stack, each stack's inventory, and what differs by environment."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.infra import synthesis
from tests.infra.synthesis import ENVIRONMENTS, EVERYTHING, STACKS, Synthesized
from tests.infra.test_monitoring import DASHBOARD, dashboard_body

LOG_ALARMS = "LogAlarms"
PARTS = {
    "Shared": ("Callbacks", "Conversations", "CriticalAlerts", "Encryption", "HandOff"),
    "WhatsApp": (
        *("ChannelDashboard", "ChannelQueue", "DeliveryEvents", "FunctionAlarms", LOG_ALARMS),
        *("OperatorPolicy", "Processor", "QueueAlarms", "RouterPolicy", "ScheduledJob", "Secrets"),
        "VendorCheck",
    ),
    "Email": ("DeliveryEventsVendorTopic", "Ses"),
}
"""By stack, how the logical ids of a part begin; the alarms over log lines are all others."""
HASH = re.compile(r"(?<=CurrentVersion[0-9A-F]{8})[0-9a-f]{32}|[0-9a-f]{64}(?=\.zip)")


@pytest.mark.parametrize(
    ("stack", "part"), [(stack, part) for stack, parts in PARTS.items() for part in parts]
)
def test_part(stack: str, part: str, json_snapshot: SnapshotAssertion) -> None:
    """A part of a stack has the reviewed resources, with everything that can be switched on."""
    resources = _resources(synthesis.synthesize(**EVERYTHING).template(stack))
    assert json_snapshot == {name: r for name, r in resources.items() if part == _part_of(name)}


def _part_of(logical_id: str) -> str:
    parts = [part for parts in PARTS.values() for part in parts if logical_id.startswith(part)]
    return max(parts, key=len, default=LOG_ALARMS)


@pytest.mark.parametrize("stack", [*STACKS, "Email"])
def test_stack(stack: str, dev: Synthesized, json_snapshot: SnapshotAssertion) -> None:
    """A stack has the reviewed resources, logical ids and outputs."""
    template = dev.template(stack)
    types = {_without_hash(name): part["Type"] for name, part in template["Resources"].items()}
    assert json_snapshot == {"Resources": types, "Outputs": template["Outputs"]}


@pytest.mark.parametrize("name", [name for name in ENVIRONMENTS if name != "dev"])
def test_environment(name: str, json_snapshot: SnapshotAssertion) -> None:
    """An environment differs from dev in its names and in what was reviewed, and nothing else."""
    differences = {}
    for stack in STACKS:
        dev, own = _leaves_as_dev("dev", stack), _leaves_as_dev(name, stack)
        for path in sorted(dev.keys() | own.keys()):
            if dev.get(path) != own.get(path):
                differences[f"{stack}{path}"] = [dev.get(path), own.get(path)]
    assert json_snapshot == differences


def _without_hash(text: str) -> str:
    """Remove the hashes in the ids of functions' versions, and those of packages."""
    return HASH.sub("<hash>", text)


def _resources(template: dict[str, Any]) -> dict[str, Any]:
    """Return a template's resources without the CDK's metadata and hashes."""
    resources = json.loads(_without_hash(json.dumps(template["Resources"])))
    for resource in resources.values():
        resource.pop("Metadata", None)
    return {name: _readable(resource) for name, resource in resources.items()}


def _readable(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource with a dashboard's JSON text parsed."""
    if resource["Type"] != DASHBOARD:
        return resource
    body = {"DashboardBody": dashboard_body(resource["Properties"]["DashboardBody"])}
    return resource | {"Properties": resource["Properties"] | body}


def _leaves_as_dev(name: str, stack: str) -> dict[str, object]:
    """Return the leaves of a template with the environment's name replaced by dev's."""
    text = _without_hash(json.dumps(synthesis.synthesize(name).template(stack)))
    for other, own in ((f"-{name}", "-dev"), (f"/{name}/", "/dev/"), (f'"{name}"', '"dev"')):
        text = text.replace(other, own)
    resources = json.loads(text.replace(name.capitalize(), "Dev"))["Resources"]
    return dict(_leaves({key: _readable(resource) for key, resource in resources.items()}))


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield every leaf of a JSON value with its path."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, f"{path}/{key}")
    else:
        yield path, value
