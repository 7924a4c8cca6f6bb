"""Resource policies, evaluated for one call of an AWS service."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tests.alarms.metrics import NotUnderstoodError

STATEMENT = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
ANYBODY: tuple[object, ...] = ("*", {"AWS": "*"})

OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda found, wanted: found == wanted,
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,
    "ArnLike": fnmatchcase,
    "Bool": lambda found, wanted: found.lower() == wanted.lower(),
}


@dataclass(frozen=True)
class Call:
    """What a service asks to do.

    Attributes:
        service: The caller, as policies name it: `cloudwatch.amazonaws.com`.
        action: The action, `sns:Publish`.
        resource: The ARN that it is done to.
        context: What conditions may look at, by the key in lower case.
    """

    service: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allows(policy: Mapping[str, Any], call: Call) -> bool:
    """Whether a resource's policy lets a call pass; a denial outweighs any permission.

    Raises:
        NotUnderstoodError: A statement has a part, or a condition an operator, not modelled here.
    """
    effects = [item["Effect"] for item in _list(policy["Statement"]) if _applies(item, call)]
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], call: Call) -> bool:
    if unknown := statement.keys() - STATEMENT:
        raise NotUnderstoodError(f"policy statement with {sorted(unknown)}")
    return (
        _names(statement["Principal"], call.service)
        and any(
            fnmatchcase(call.action.lower(), pattern.lower())
            for pattern in _list(statement["Action"])
        )
        and any(fnmatchcase(call.resource, pattern) for pattern in _list(statement["Resource"]))
        and all(
            _holds(operator, key, wanted, call.context)
            for operator, wishes in statement.get("Condition", {}).items()
            for key, wanted in wishes.items()
        )
    )


def _names(principal: Any, service: str) -> bool:
    if principal in ANYBODY:
        return True
    return isinstance(principal, Mapping) and service in _list(principal.get("Service", []))


def _holds(operator: str, key: str, wanted: Any, context: Mapping[str, str]) -> bool:
    """A key that the call does not carry fulfils no condition."""
    if operator not in OPERATORS:
        raise NotUnderstoodError(f"condition operator {operator}")
    found = context.get(key.lower())
    return found is not None and any(
        OPERATORS[operator](found, str(value)) for value in _list(wanted)
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
