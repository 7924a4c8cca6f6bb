"""The AI in memory: answers what it is given to answer, and knows one API key."""

from dataclasses import replace
from typing import TYPE_CHECKING

from lambda_src.core.context import AssistantDefinition
from lambda_src.core.errors import CredentialsRefused, Step
from lambda_src.core.message import Answer, Assignment, Usage
from tests.unit.fakes.faults import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWER = Answer(
    thread_id="conv_1",
    message_id="resp_1",
    created_at="2027-01-15T08:00:00.000+00:00",
    text="",
    variables={"1": "Amara", "2": "Harbour Logistics here: when may we call?"},
    usage=Usage(120, 40, 160),
)


class FakeWriter:
    """Implements the port `Writer`; `billed` holds every assignment that was answered."""

    def __init__(self, api_key: str) -> None:
        self.api_key = api_key
        self.answer = ANSWER
        self.billed: list[Assignment] = []
        self.during: Callable[[Assignment], object] = lambda _: None
        self._faults: Plan[Exception] = Plan()

    def fail(self, error: Exception, times: int = 1) -> None:
        """Let the next assignments go wrong."""
        self._faults.add("write", error, times)

    def write(self, api_key: str, assignment: Assignment) -> Answer:
        """Answer, if the key is the one that is known."""
        if api_key != self.api_key:
            raise CredentialsRefused("openai_401", Step.AI)
        self.during(assignment)
        if error := self._faults.pop("write"):
            raise error
        self.billed.append(assignment)
        return replace(self.answer)


class FakeAssistants:
    """Implements the port `Assistants` with the definitions it holds."""

    def __init__(self) -> None:
        self.definitions: dict[str, AssistantDefinition] = {}

    def find(self, assistant_id: str) -> AssistantDefinition | None:
        """The definition of that id, or None."""
        return self.definitions.get(assistant_id)
