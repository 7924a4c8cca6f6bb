"""This app's own names, where it shares an account with the app that the constructs are from."""

from dataclasses import dataclass

from ai_multi_comms.constructs import ChannelNames, SharedNames

PROJECT = "acme-alerts"


@dataclass(frozen=True)
class PushSharedNames(SharedNames):
    """Names of what the channels of this app share."""

    project: str = PROJECT

    @property
    def table(self) -> str:
        """The conversations table."""
        return f"{self.project}-conversations-{self.environment.name}"

    @property
    def topic(self) -> str:
        """The topic of critical alerts."""
        return f"{self.project}-critical-alerts-{self.environment.name}"


@dataclass(frozen=True)
class PushNames(ChannelNames):
    """Names of the channel's resources."""

    project: str = PROJECT

    @property
    def metrics_namespace(self) -> str:
        """Where the channel's own metrics are."""
        return f"AcmeAlerts/{self.channel.display}/{self.environment.title}"
