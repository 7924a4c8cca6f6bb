"""How the stand-in for OpenAI behaves."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from local.stand_ins.faults import STRICT, Seconds


@dataclass(frozen=True, slots=True, config=STRICT)
class OpenAISettings:
    """Delays of the stand-in for OpenAI.

    Attributes:
        answer_seconds: How long the model takes for a response.
        run_seconds: How long a run of a thread takes at least.
        run_polls: How often a run must be asked for before it has ended.
    """

    answer_seconds: Seconds = 0.0
    run_seconds: Seconds = 0.0
    run_polls: Annotated[int, Field(ge=1)] = 2
