"""An update from 1.0, and the rollback to it, replaces no resource and removes none of 1.0."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from cfnlint.schema.manager import (  # type: ignore[import-untyped]  # it ships no types
    PROVIDER_SCHEMA_MANAGER,
)

from tests.infra.synthesis import ENVIRONMENTS, REGION, synthesize
from tests.upgrade.version_1_0 import TEMPLATES

DEPLOYED_ANEW = frozenset({"AWS::Lambda::Version"})
"""A version is one state of a function's code: each deployment with a change has a new one."""
KEPT = frozenset({"AWS::SQS::Queue", "AWS::Logs::LogGroup"})
"""New resources that a rollback may leave, since people decide about what is in them."""
STACKS = [(environment, stack) for environment in ENVIRONMENTS for stack in TEMPLATES["dev"]]
each_stack = pytest.mark.parametrize(("environment", "stack"), STACKS)


@each_stack
def test_nothing_is_replaced(environment: str, stack: str) -> None:
    """Each resource of 1.0 keeps its logical id, type, name, and what else cannot be updated."""
    old, new = TEMPLATES[environment][stack], _template(environment, stack)
    resources = _resources(old)
    assert {} == {name: r["Type"] for name, r in resources.items() if name not in new["Resources"]}
    changes = {name: [*_changes(each, new["Resources"][name])] for name, each in resources.items()}
    assert {} == {name: found for name, found in changes.items() if found}
    assert set() == old["Outputs"].keys() - new["Outputs"].keys()


@each_stack
def test_a_rollback_leaves_only_what_people_decide_about(environment: str, stack: str) -> None:
    """Of the new resources, a rollback to 1.0 leaves queues and log groups, or nothing."""
    old, new = TEMPLATES[environment][stack], _template(environment, stack)
    added = [each for name, each in _resources(new).items() if name not in old["Resources"]]
    assert {each["Type"] for each in added if "Retain" in each.get("DeletionPolicy", "")} <= KEPT


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_table_has_at_most_one_new_index(environment: str) -> None:
    """CloudFormation creates or deletes one index of a table in one update."""
    tables = [
        each["Properties"]
        for each in _template(environment, "Shared")["Resources"].values()
        if each["Type"] == "AWS::DynamoDB::Table"
    ]
    assert [True] == [len(each.get("GlobalSecondaryIndexes", ())) <= 1 for each in tables]


def test_a_replacement_is_found() -> None:
    """A change of a property that CloudFormation cannot update is found."""
    names = {"QueueName": "a"}
    queue = {"Type": "AWS::SQS::Queue", "Properties": names, "DeletionPolicy": "Retain"}
    changed = queue | {"Properties": {"QueueName": "b", "VisibilityTimeout": 1}}
    assert ["QueueName"] == [*_changes(queue, changed)]
    assert ["DeletionPolicy"] == [*_changes(queue, queue | {"DeletionPolicy": "Delete"})]
    assert ["Type"] == [*_changes(queue, queue | {"Type": "AWS::SQS::QueuePolicy"})]


def _template(environment: str, stack: str) -> dict[str, Any]:
    template: dict[str, Any] = synthesize(environment).template(stack)
    return template


def _resources(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    resources = template["Resources"].items()
    return {name: each for name, each in resources if each["Type"] not in DEPLOYED_ANEW}


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Yield what differs of a resource although an update must not change it."""
    if old["Type"] != new["Type"]:
        yield "Type"
        return
    before, after = old.get("Properties", {}), new.get("Properties", {})
    for path in _fixed_properties(old["Type"]):
        if _value(before, path) != _value(after, path):
            yield "/".join(path)
    if old.get("DeletionPolicy") != new.get("DeletionPolicy"):
        yield "DeletionPolicy"


@cache
def _fixed_properties(kind: str) -> tuple[tuple[str, ...], ...]:
    """Return the paths of the properties whose change replaces, or may replace, a resource."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    names = ("createOnlyProperties", "conditionalCreateOnlyProperties")
    pointers = [pointer for name in names for pointer in schema.get(name, ())]
    return tuple(tuple(pointer.split("/")[2:]) for pointer in pointers)


def _value(properties: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(properties, dict):
            return properties  # a list, or a function: compared as a whole
        properties = properties.get(name)
    return properties
