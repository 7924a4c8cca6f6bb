"""Stand-in for OpenAI's API."""

from local.stand_ins.openai.settings import OpenAISettings
from local.stand_ins.openai.stand_in import OpenAIStandIn

__all__ = ["OpenAISettings", "OpenAIStandIn"]
