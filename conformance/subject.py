"""The description of a channel that the checks take."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from lambda_src.core import ChannelParts, Clock
from stacks.config import ChannelNames


def read_json(file: Path) -> Any:
    """Read a JSON file in any encoding of Unicode, with or without a byte order mark.

    Raises:
        ValueError: It is not JSON, or in another encoding; the text names the file and says where.
    """
    try:
        return json.loads(file.read_bytes())
    except UnicodeDecodeError as error:
        found = f"another encoding (byte {error.start + 1})"
        raise ValueError(f"{file}: expected a text in UTF-8, found {found}") from None
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno}, column {error.colno}"
        raise ValueError(f"{file}: expected JSON, found other text: {found}") from None


class Vendor(AbstractContextManager["Vendor"], Protocol):
    """A fake of the channel's vendor, on loopback within a `with` block."""

    @property
    def secret(self) -> Mapping[str, str]:
        """Content of a tenant's secret, in its documented format; unused without credentials."""

    def environment(self) -> Mapping[str, str]:
        """Return the variables that direct the channel's sender to the fake."""

    def reset(self) -> None:
        """Remove all messages and faults."""

    def accepted_ids(self) -> Sequence[str]:
        """Return the ids of the accepted messages, oldest first."""

    def lose_next_response(self, *, accepted: bool) -> None:
        """Reset the connection of the next send, after it was accepted or instead of that."""

    def reject_next_send(self) -> None:
        """Reject the next send permanently."""

    def rate_limit_next_send(self) -> None:
        """Reject the next send because there are too many."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A channel.

    Attributes:
        names: The channel and the names of its resources in an environment.
        template: The synthesized template of its stack, in its cloud assembly.
        parts: Its runtime's parts.
        vendor: Creates the fake of its vendor, which uses the given clock.
        example: File with a valid context object for that environment.
    """

    names: ChannelNames
    template: Path
    parts: ChannelParts
    vendor: Callable[[Clock], Vendor]
    example: Path

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.names.channel.name

    @property
    def functions(self) -> tuple[str, ...]:
        """The names of the functions that its environment has, the processor's first."""
        names, channel, environment = self.names, self.names.channel, self.names.environment
        found = {
            names.function: True,
            names.events.function: channel.has_delivery_events(environment),
            names.receiver: channel.receives_callbacks(environment),
            names.scheduler: True,
            names.vendor_check: True,
        }
        return tuple(name for name, exists in found.items() if exists)

    @cached_property
    def _resources(self) -> Mapping[str, Mapping[str, Any]]:
        resources: Mapping[str, Any] = json.loads(self.template.read_text("utf-8"))["Resources"]
        return resources

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Return the properties of the template's resources of a CloudFormation type."""
        found = (part for part in self._resources.values() if part["Type"] == kind)
        return [part["Properties"] for part in found]

    def function(self, name: str) -> dict[str, Any]:
        """Return the properties of the function of that name; none, if there is no such function.

        Args:
            name: As in `names`, such as `names.events.function`.
        """
        functions = self.of_type("AWS::Lambda::Function")
        return next((each for each in functions if each.get("FunctionName") == name), {})

    def context(self) -> dict[str, Any]:
        """Return a copy of the valid context object."""
        document: dict[str, Any] = read_json(self.example)
        return document

    def variables(self) -> dict[str, str]:
        """Return the processor's environment variables without those known only at deployment."""
        variables = self.function(self.names.function)["Environment"]["Variables"].items()
        return {name: value for name, value in variables if isinstance(value, str)}
