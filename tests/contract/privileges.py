"""What the synthesized policies allow, spelled as people read it: who, what, on what."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.infra.synthesis import STACKS, Synthesized

PHYSICAL = ("QueueName", "TableName", "TopicName", "LogGroupName", "FunctionName", "Name")
"""Properties that give a resource its name, by which a privilege on it is told."""

EVERYTHING = "*"
"""The resource of what can be allowed of everything alone."""


class Privilege(NamedTuple):
    """Somebody may do something to something.

    Attributes:
        who: A role's logical id, or a service's address.
        action: As IAM spells it.
        resource: A resource's name, a pattern of secrets' names, or the key and the service that
            it may be used through.
    """

    who: str
    action: str
    resource: str


def of_roles(synthesized: Synthesized) -> set[Privilege]:
    """Everything that the policies of all roles allow."""
    return {
        privilege
        for stack in STACKS
        for policy in synthesized.resources(stack, "AWS::IAM::Policy")
        for role in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for privilege in _of_statement(role["Ref"], statement, stack, synthesized)
    }


def of_managed(synthesized: Synthesized, name: str, stack: str = "WhatsApp") -> set[Privilege]:
    """Everything that a managed policy allows."""
    (policy,) = (
        resource["Properties"]
        for resource in synthesized.resources(stack, "AWS::IAM::ManagedPolicy")
        if resource["Properties"]["ManagedPolicyName"] == name
    )
    return {
        privilege
        for statement in policy["PolicyDocument"]["Statement"]
        for privilege in _of_statement(name, statement, stack, synthesized)
    }


def of_services(synthesized: Synthesized, kind: str, document: str) -> set[Privilege]:
    """What resources' own policies allow to services, given as a type and its property."""
    return {
        Privilege(_spelled(service), action, kind)
        for stack in STACKS
        for resource in synthesized.resources(stack, kind)
        for statement in resource["Properties"].get(document, {"Statement": ()})["Statement"]
        if statement["Effect"] == "Allow"
        for service in listed(statement["Principal"].get("Service", []))
        for action in listed(statement["Action"])
    }


def roles(synthesized: Synthesized) -> set[str]:
    """The logical ids of all roles."""
    templates = (synthesized.template(stack)["Resources"] for stack in STACKS)
    return {
        name
        for template in templates
        for name, resource in template.items()
        if resource["Type"] == "AWS::IAM::Role"
    }


def listed(value: Any) -> list[Any]:
    """What may stand alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def _of_statement(
    role: str, statement: dict[str, Any], stack: str, synthesized: Synthesized
) -> Iterator[Privilege]:
    assert "Allow" == statement["Effect"]
    via = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
    for action in listed(statement["Action"]):
        for arn in listed(statement["Resource"]):
            named = _named(arn, stack, synthesized)
            through = f" through {_spelled(via).split('.')[0]}" if via else ""
            yield Privilege(role, action, named + through)


def _named(arn: Any, stack: str, synthesized: Synthesized) -> str:
    match arn:
        case {"Fn::GetAtt": [logical_id, "Arn"]}:
            return _name_of(synthesized.template(stack)["Resources"][logical_id])
        case {"Fn::GetStackOutput": {"OutputName": output}}:
            value = synthesized.template("Shared")["Outputs"][output]["Value"]
            return _named(value, "Shared", synthesized)
        case {"Fn::Join": _}:
            return re.split(":secret:|:stack/", _spelled(arn))[-1]
        case {"Ref": alias}:
            return str(synthesized.template(stack)["Resources"][alias]["Properties"]["Name"])
        case "*":
            return EVERYTHING
    raise AssertionError(f"a resource that no test knows how to name: {arn}")


def _name_of(resource: dict[str, Any]) -> str:
    properties = resource["Properties"]
    names = (properties[name] for name in PHYSICAL if name in properties)
    return str(next(names, resource["Type"]))


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        return value
    parts = value["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
