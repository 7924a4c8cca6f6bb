"""Permissions: what the synthesized policies allow, and what API calls require."""

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from lambda_src import index
from tests.infra.synthesis import STACKS, Synthesized
from tests.support.channel import Channel

NAME_PROPERTIES = (
    *("QueueName", "TableName", "TopicName", "LogGroupName"),
    *("FunctionName", "Name"),
)
"""Properties that give a resource its name."""

ALL_RESOURCES = "*"

RENAMED = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}
"""API calls whose permission has another name."""
TRANSACTION_PARTS = {
    "ConditionCheck": "ConditionCheckItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
"""A transaction has no permission of its own; each of its parts needs one."""

TARGETS = ("QueueUrl", "TableName", "SecretId", "StackName", "Qualifier", "FunctionName", "Name")
"""Parameters that name the resource of a call."""

Call = tuple[str, str]
"""An action, and the name of its resource."""


class Permission(NamedTuple):
    """An allowed action.

    Attributes:
        who: A role's logical id, a managed policy's name, or a service's address.
        action: The action.
        resource: A resource's name, a pattern of secrets' names, or the key and the service that
            it may be used through.
    """

    who: str
    action: str
    resource: str


def of_roles(synthesized: Synthesized) -> set[Permission]:
    """Return the permissions of all roles."""
    return {
        permission
        for stack in STACKS
        for policy in synthesized.resources(stack, "AWS::IAM::Policy")
        for role in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for permission in _of_statement(role["Ref"], statement, stack, synthesized)
    }


def of_managed_policy(
    synthesized: Synthesized, name: str, stack: str = "WhatsApp"
) -> set[Permission]:
    """Return the permissions of a managed policy."""
    (policy,) = (
        resource["Properties"]
        for resource in synthesized.resources(stack, "AWS::IAM::ManagedPolicy")
        if resource["Properties"]["ManagedPolicyName"] == name
    )
    return {
        permission
        for statement in policy["PolicyDocument"]["Statement"]
        for permission in _of_statement(name, statement, stack, synthesized)
    }


def of_services(synthesized: Synthesized, kind: str, document: str) -> set[Permission]:
    """Return what the policies of resources of a type, in that property, allow to services."""
    return {
        Permission(_text(service), action, kind)
        for stack in STACKS
        for resource in synthesized.resources(stack, kind)
        for statement in resource["Properties"].get(document, {"Statement": ()})["Statement"]
        if statement["Effect"] == "Allow"
        for service in _listed(statement["Principal"].get("Service", []))
        for action in _listed(statement["Action"])
    }


def record_calls(events: Any, calls: set[Call]) -> None:
    """Add the calls of a client, or of all clients that a session creates from now on."""

    def record(params: Mapping[str, Any], model: Any, **_: object) -> None:
        calls.update(_required(model.service_model.service_name, model.name, params))

    events.register("provide-client-params.*", record)


def with_deployed_names(
    calls: Iterable[Call], names: Mapping[str, str], secrets: Iterable[str]
) -> set[Call]:
    """Return the calls with the template's names in place of a test's.

    Args:
        calls: The calls.
        names: The template's name for each of the test's.
        secrets: The template's patterns of secrets' names; each call matches one.
    """
    return {(action, names.get(target) or _pattern(target, secrets)) for action, target in calls}


def runtime_clients(channel: Channel) -> list[Any]:
    """Return the runtime's own clients."""
    handler: Any = index.batch_handler()
    return [handler.queue._client, channel.table_client(), handler.flow.secrets._client]


def _required(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    for part in params.get("TransactItems", ()):
        for kind, write in part.items():
            yield f"{service}:{TRANSACTION_PARTS[kind]}", write["TableName"]
    if "TransactItems" not in params:
        target = next((str(params[name]) for name in TARGETS if name in params), "")
        name = target.rpartition("/")[2] if "QueueUrl" in params else target
        yield f"{service}:{RENAMED.get(operation, operation)}", name


def _pattern(secret: str, patterns: Iterable[str]) -> str:
    (pattern,) = (each for each in patterns if fnmatchcase(f"{secret}-AbCdEf", each))
    return pattern


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _of_statement(
    who: str, statement: dict[str, Any], stack: str, synthesized: Synthesized
) -> Iterator[Permission]:
    assert "Allow" == statement["Effect"]
    via = statement.get("Condition", {}).get("StringEquals", {}).get("kms:ViaService")
    through = f" through {_text(via).split('.')[0]}" if via else ""
    for action in _listed(statement["Action"]):
        for arn in _listed(statement["Resource"]):
            yield Permission(who, action, _name(arn, stack, synthesized) + through)


def _name(arn: Any, stack: str, synthesized: Synthesized) -> str:
    match arn:
        case {"Fn::GetAtt": [logical_id, "Arn"]}:
            resource = synthesized.template(stack)["Resources"][logical_id]
            properties = resource["Properties"]
            names = (properties[name] for name in NAME_PROPERTIES if name in properties)
            return str(next(names, resource["Type"]))
        case {"Fn::GetStackOutput": {"OutputName": output}}:
            value = synthesized.template("Shared")["Outputs"][output]["Value"]
            return _name(value, "Shared", synthesized)
        case {"Fn::Join": _}:
            return re.split(":secret:|:stack/", _text(arn))[-1]
        case {"Ref": alias}:
            return str(synthesized.template(stack)["Resources"][alias]["Properties"]["Name"])
        case "*":
            return ALL_RESOURCES
    raise AssertionError(f"a resource of an unknown form: {arn}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    parts = value["Fn::Join"][1]
    return "".join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)
