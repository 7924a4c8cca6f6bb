"""What the runtime asks of AWS, as the privileges that it needs."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from lambda_src import index
from tests.services.channel import Channel

ACTIONS = {"ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}
"""API calls whose privilege has another name."""

TARGETS = ("QueueUrl", "TableName", "SecretId")
"""Parameters that name what a call is about."""

Call = tuple[str, str]
"""An action, and the name of what it is done to."""


def noted(channel: Channel) -> set[Call]:
    """A set that the runtime's API calls are added to from now on."""
    made: set[Call] = set()

    def note(params: Mapping[str, Any], model: Any, **_: object) -> None:
        service = model.service_model.service_name
        target = next(str(params[name]) for name in TARGETS if name in params)
        action = f"{service}:{ACTIONS.get(model.name, model.name)}"
        made.add((action, target.rpartition("/")[2] if "QueueUrl" in params else target))

    for client in _clients(channel):
        client.meta.events.register("provide-client-params.*", note)
    return made


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


def _clients(channel: Channel) -> list[Any]:
    handler: Any = index.batch_handler()
    return [
        handler.queue._client,
        channel.table_client(),
        handler.flow.sending.secrets._provider.client,
    ]
