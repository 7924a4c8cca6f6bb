"""References in templates are resolved in every form that CloudFormation has."""

from typing import Any

import pytest

from stacks.invariants.assembly import (
    FUNCTION,
    QUEUE,
    Assembly,
    Resource,
    Template,
    UnresolvedValue,
)

SHARED: dict[str, Any] = {
    "Resources": {"Queue": {"Type": QUEUE}},
    "Outputs": {
        "Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}, "Export": {"Name": "shared:arn"}}
    },
}
OWN: dict[str, Any] = {
    "Metadata": {"Invariants": {"tier": "development"}},
    "Resources": {
        "Own": {"Type": QUEUE},
        "Function": {"Type": FUNCTION},
        "Version": {
            "Type": "AWS::Lambda::Version",
            "Properties": {"FunctionName": {"Ref": "Function"}},
        },
        "Alias": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {"FunctionName": {"Fn::GetAtt": "Version.FunctionArn"}},
        },
    },
}


@pytest.fixture
def own() -> Template:
    """Return the template with the references."""
    return Template("Own", "own", OWN)


@pytest.fixture
def assembly(own: Template) -> Assembly:
    """Return both templates."""
    return Assembly([own, Template("Shared", "shared-stack", SHARED)])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"Ref": "Own"}, "Own"),
        ({"Fn::GetAtt": ["Own", "Arn"]}, "Own"),
        ({"Fn::GetAtt": "Own.Arn"}, "Own"),
        ({"Fn::Join": ["", ["https://", {"Fn::GetAtt": ["Own", "QueueName"]}]]}, "Own"),
        ({"Fn::GetStackOutput": {"StackName": "shared-stack", "OutputName": "Arn"}}, "Queue"),
        ({"Fn::GetStackOutput": {"StackName": "another", "OutputName": "Arn"}}, None),
        ({"Fn::ImportValue": "shared:arn"}, "Queue"),
        ({"Fn::ImportValue": "another:arn"}, None),
        ({"Ref": "AWS::Region"}, None),
        ("arn:aws:sqs:eu-west-1:111122223333:queue", None),
        (None, None),
    ],
)
def test_references_to_a_queue(
    assembly: Assembly, own: Template, value: object, found: str | None
) -> None:
    """A reference is resolved within its template and in the others."""
    queue = assembly.resolve(own, value, QUEUE)
    assert found == (queue.logical_id if queue else None)


@pytest.mark.parametrize("name", ["Function", "Version", "Alias"])
def test_alias_refers_to_its_function(assembly: Assembly, own: Template, name: str) -> None:
    """A reference to an alias or a version resolves to its function."""
    function = assembly.resolve(own, {"Fn::Join": [":", [{"Ref": name}, "live"]]}, FUNCTION)
    assert function is own.resources["Function"]


@pytest.mark.parametrize(("value", "number"), [(30, 30), ("30", 30), (None, 7)])
def test_numbers(own: Template, value: object, number: int) -> None:
    """A number may be text, and has a default if it is not set."""
    properties = {} if value is None else {"Timeout": value}
    resource = Resource(own, "Function", {"Type": FUNCTION, "Properties": properties})
    assert number == resource.integer("Timeout", 7)


@pytest.mark.parametrize("value", [{"Ref": "Timeout"}, "soon", 1.5, True, "-1"])
def test_value_that_is_no_number(own: Template, value: object) -> None:
    """A reference, or anything else that is not a number, is rejected."""
    resource = Resource(own, "Function", {"Type": FUNCTION, "Properties": {"Timeout": value}})
    with pytest.raises(UnresolvedValue, match="Function: Timeout is not a literal number"):
        resource.integer("Timeout", 7)


def test_checked_and_other_templates(assembly: Assembly) -> None:
    """Only resources of stacks with our constructs are checked; others can be referred to."""
    assert ["Own"] == [resource.logical_id for resource in assembly.resources(QUEUE)]
    assert ["Own", "Queue"] == [resource.logical_id for resource in assembly.all_resources(QUEUE)]
