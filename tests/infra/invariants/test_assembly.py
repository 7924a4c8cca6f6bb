"""References in templates lead to the resources that they mean, in every way to write them."""

from typing import Any

import pytest

from stacks.invariants.assembly import Assembly, NotPlain, Resource, Template

QUEUE = "AWS::SQS::Queue"
FUNCTION = "AWS::Lambda::Function"
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
    """Return the template that refers."""
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
    """A reference is followed within its template and into the others."""
    queue = assembly.referred(own, value, QUEUE)

    assert found == (queue.logical_id if queue else None)


@pytest.mark.parametrize("name", ["Function", "Version", "Alias"])
def test_an_alias_stands_for_its_function(assembly: Assembly, own: Template, name: str) -> None:
    """What is said of an alias or a version is said of the function behind it."""
    function = assembly.referred(own, {"Fn::Join": [":", [{"Ref": name}, "live"]]}, FUNCTION)

    assert function is own.resources["Function"]


@pytest.mark.parametrize(("value", "number"), [(30, 30), ("30", 30), (None, 7)])
def test_numbers(own: Template, value: object, number: int) -> None:
    """CloudFormation takes numbers as text; what is not set has its default."""
    properties = {} if value is None else {"Timeout": value}
    resource = Resource(own, "Function", {"Type": FUNCTION, "Properties": properties})

    assert number == resource.whole("Timeout", 7)


@pytest.mark.parametrize("value", [{"Ref": "Timeout"}, "soon", 1.5, True, "-1"])
def test_what_is_no_number(own: Template, value: object) -> None:
    """A reference is not taken for a number, nor is anything else that is none."""
    resource = Resource(own, "Function", {"Type": FUNCTION, "Properties": {"Timeout": value}})

    with pytest.raises(NotPlain, match="Function: Timeout is not a number that is written out"):
        resource.whole("Timeout", 7)


def test_guarded_and_others(assembly: Assembly) -> None:
    """Only resources of stacks with our constructs are checked; others may be referred to."""
    assert ["Own"] == [resource.logical_id for resource in assembly.of(QUEUE)]
    assert ["Own", "Queue"] == [resource.logical_id for resource in assembly.all_of(QUEUE)]
