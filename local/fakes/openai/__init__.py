"""The fake of OpenAI's API."""

from local.fakes.openai.model import OpenAISettings
from local.fakes.openai.service import FakeOpenAI

__all__ = ["FakeOpenAI", "OpenAISettings"]
