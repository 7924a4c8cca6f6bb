"""What the runtime asks of AWS, as the privileges that it needs."""

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from lambda_src import index
from tests.services.channel import Channel

ACTIONS = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}
"""API calls whose privilege has another name."""
PARTS = {"ConditionCheck": "ConditionCheckItem", "Put": "PutItem", "Update": "UpdateItem"}
"""What a transaction needs for each of its parts; it has no privilege of its own."""

TARGETS = ("QueueUrl", "TableName", "SecretId", "StackName", "Qualifier", "FunctionName", "Name")
"""Parameters that name what a call is about."""

Call = tuple[str, str]
"""An action, and the name of what it is done to."""


def noted(channel: Channel) -> set[Call]:
    """A set that the runtime's API calls are added to from now on."""
    made: set[Call] = set()
    for client in clients(channel):
        note_calls(client.meta.events, made)
    return made


def note_calls(events: Any, made: set[Call]) -> None:
    """Add the calls of a client, or of all clients that a session makes from now on."""

    def note(params: Mapping[str, Any], model: Any, **_: object) -> None:
        made.update(calls_of(model.service_model.service_name, model.name, params))

    events.register("provide-client-params.*", note)


def calls_of(service: str, operation: str, params: Mapping[str, Any]) -> Iterator[Call]:
    """What one API call needs a privilege for."""
    for part in params.get("TransactItems", ()):
        for kind, write in part.items():
            yield f"{service}:{PARTS[kind]}", write["TableName"]
    if "TransactItems" not in params:
        target = next((str(params[name]) for name in TARGETS if name in params), "")
        name = target.rpartition("/")[2] if "QueueUrl" in params else target
        yield f"{service}:{ACTIONS.get(operation, operation)}", name


def as_deployed(
    calls: Iterable[Call], names: Mapping[str, str], secrets: Iterable[str]
) -> set[Call]:
    """Calls with the names that the template gives to what a test made under another name.

    Args:
        calls: The calls.
        names: A template's name for each of the test's.
        secrets: The template's patterns of secrets' names, of which each call matches one.
    """
    return {(action, names.get(target) or _pattern(target, secrets)) for action, target in calls}


def _pattern(secret: str, patterns: Iterable[str]) -> str:
    (pattern,) = (each for each in patterns if fnmatchcase(f"{secret}-AbCdEf", each))
    return pattern


def clients(channel: Channel) -> list[Any]:
    """The runtime's own clients, whose events tests may listen to."""
    handler: Any = index.batch_handler()
    return [
        handler.queue._client,
        channel.table_client(),
        handler.flow.sending.secrets._provider.client,
    ]
