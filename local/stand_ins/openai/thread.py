"""A thread of the Assistants API."""

from dataclasses import dataclass, field
from typing import Any

from local.stand_ins.openai.runs import Run


@dataclass(slots=True)
class Thread:
    """A thread.

    Attributes:
        id: Its identifier.
        created: Seconds since the epoch.
        metadata: What its creator noted.
        messages: Its messages, oldest first, as OpenAI shows them.
        runs: Its runs, by their ids, oldest first.
    """

    id: str
    created: int
    metadata: dict[str, str]
    messages: list[dict[str, Any]] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)

    def resource(self) -> dict[str, Any]:
        """The JSON of the thread."""
        return {
            "id": self.id,
            "object": "thread",
            "created_at": self.created,
            "metadata": self.metadata,
            "tool_resources": {},
        }

    def texts(self) -> list[str]:
        """The texts of all its messages, newest first."""
        return [
            part["text"]["value"]
            for message in reversed(self.messages)
            for part in message["content"]
            if part["type"] == "text"
        ]

    def active_run(self) -> Run | None:
        """The run that has not ended, if there is one."""
        return next((run for run in self.runs.values() if run.active), None)
