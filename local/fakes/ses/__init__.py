"""The fake of Amazon SES's API 2."""

from local.fakes.ses.events import SentEvent
from local.fakes.ses.service import FakeSes, SesSettings

__all__ = ["FakeSes", "SentEvent", "SesSettings"]
