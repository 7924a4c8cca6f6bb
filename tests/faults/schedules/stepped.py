"""Ports whose calls are made step by step."""

from collections.abc import Callable
from functools import partial
from typing import Any

from tests.unit.fakes.clock import FakeClock

Caller = Callable[[str, "partial[Any]"], Any]
"""Makes a call that leaves a container, by its name and its effect."""


class Stepped:
    """A port whose every call is made by its container."""

    def __init__(self, name: str, port: object, call: Caller) -> None:
        self._name = name
        self._port = port
        self._call = call

    def __getattr__(self, method: str) -> Callable[..., Any]:
        function = getattr(self._port, method)

        def call(*args: Any, **keywords: Any) -> Any:
            return self._call(f"{self._name}.{method}", partial(function, *args, **keywords))

        return call


class OwnClock:
    """The container's own clock, a little beside the others'."""

    def __init__(self, call: Caller, true_time: FakeClock, skew: float) -> None:
        self._call = call
        self._true_time = true_time
        self._skew = skew

    def __call__(self) -> float:
        """The present, in epoch seconds."""
        return self._true_time() + self._skew

    def sleep(self, seconds: float) -> None:
        """Wait, while others go on."""
        self._call("clock.sleep", partial(self._true_time.advance, seconds))
