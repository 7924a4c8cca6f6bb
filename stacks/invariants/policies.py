"""Policies in templates: who is allowed what, and what is denied to everybody."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from stacks.invariants.assembly import Assembly, Resource

Statement = Mapping[str, Any]


def policies_of(
    assembly: Assembly, resource: Resource, kind: str, attached_by: str
) -> list[Statement]:
    """Return the statements of the policies that are attached to a resource.

    Args:
        assembly: Where the policies stand.
        resource: What they are attached to.
        kind: Their CloudFormation type.
        attached_by: Their property that names what they are attached to.
    """
    found: list[Statement] = []
    for policy in assembly.all_of(kind):
        targets = as_list(policy.value(attached_by, []))
        attached = (assembly.referred(policy.template, each, resource.kind) for each in targets)
        if resource in attached:
            found += policy.value("PolicyDocument.Statement", [])
    return found


def as_list(value: object) -> list[Any]:
    """Return what may stand in a policy alone or in a list, as a list."""
    return value if isinstance(value, list) else [value]


def allows(statements: Iterable[Statement], service: str, action: str) -> bool:
    """Whether a service may do something by one of the statements."""
    return any(
        statement.get("Effect") == "Allow"
        and service in as_list(_principal(statement).get("Service"))
        and covers(statement, action)
        for statement in statements
    )


def denies_plain_connections(statements: Iterable[Statement]) -> bool:
    """Whether one of the statements denies everybody what does not come over TLS."""
    return any(
        statement.get("Effect") == "Deny"
        and "*" in as_list(_principal(statement).get("AWS"))
        and str(_secure_transport(statement)).lower() == "false"
        for statement in statements
    )


def covers(statement: Statement, action: str) -> bool:
    """Whether a statement is about an action, which it may name by a pattern."""
    patterns = as_list(statement.get("Action", []))
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def _secure_transport(statement: Statement) -> object:
    return statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")


def _principal(statement: Statement) -> Mapping[str, Any]:
    principal = statement.get("Principal", {})
    return {"AWS": "*"} if principal == "*" else principal
