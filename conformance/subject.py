"""A channel as the checks see it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from lambda_src.core.channel_parts import ChannelParts
from lambda_src.core.ports import Clock
from stacks.names import ChannelNames


class Vendor(Protocol):
    """The channel's vendor, made up, on loopback for the length of a `with` block.

    Attributes:
        secret: What a tenant's secret holds, in its documented form.
    """

    secret: Mapping[str, str]

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> bool | None: ...

    def environment(self) -> Mapping[str, str]:
        """Variables that lead the channel's sender to it."""

    def forget(self) -> None:
        """Be as good as new: no messages, no faults."""

    def accepted(self) -> Sequence[str]:
        """The ids of the messages that it accepted, the oldest first."""

    def lose_the_next_answer(self, *, accepted: bool) -> None:
        """Cut the connection of the next send, after it was accepted or instead of that."""

    def refuse_the_next(self) -> None:
        """Refuse the next send for good."""

    def be_busy_at_the_next(self) -> None:
        """Turn the next send away because there are too many."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A channel.

    Attributes:
        names: The channel and the names of its resources in the environment that is looked at.
        template: The synthesized template of its stack.
        parts: What its runtime brings.
        vendor: Makes its vendor, which goes by the clock given.
        example: File with a good context object for that environment.
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

    @cached_property
    def resources(self) -> Mapping[str, Mapping[str, Any]]:
        """The template's resources by their logical ids."""
        resources: Mapping[str, Mapping[str, Any]] = json.loads(self.template.read_text("utf-8"))[
            "Resources"
        ]
        return resources

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """The properties of the template's resources of a CloudFormation type."""
        found = (part for part in self.resources.values() if part["Type"] == kind)
        return [part["Properties"] for part in found]

    def context(self) -> dict[str, Any]:
        """A good context object, to be changed at will."""
        document: dict[str, Any] = json.loads(self.example.read_text("utf-8"))
        return document

    def variables(self) -> dict[str, str]:
        """The function's environment variables; what is known at deployment only is left out."""
        (function,) = self.of_type("AWS::Lambda::Function")
        variables = function["Environment"]["Variables"].items()
        return {name: value for name, value in variables if isinstance(value, str)}
