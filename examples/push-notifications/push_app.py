"""Push notifications as a channel: an app of its own, built with the installed constructs.

`cdk synth -c env=dev`; with `-c package_for=host` the local cloud requests functions that run on
this machine.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from ai_multi_comms.constructs import (
    Additions,
    Channel,
    ChannelNames,
    ChannelStack,
    SharedNames,
    SharedStack,
    SynthesisError,
    build_package,
    load_environment,
    requested_target,
)
from aws_cdk import App
from aws_cdk import aws_iam as iam

HERE = Path(__file__).resolve().parent
PROCESSOR = Additions(packages=(HERE / "push_processor",))
PROJECT = "acme-alerts"
"""Prefix of this app's names: it shares an account with the app that the constructs come from."""

PUSH = Channel(
    name="push",
    display="Push",
    metric_filter_part="Push",
    credentials_form='{"push_app_key": "…"}',
    handler="push_processor.index.lambda_handler",
    vendor="Example Push",
    has_callbacks=False,
    has_status_lookup=False,
)


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
        """The namespace of the channel's metrics."""
        return f"AcmeAlerts/{self.channel.display}/{self.environment.title}"


def build(app: App) -> None:
    """Add the stacks of the environment of context `env`.

    Raises:
        SynthesisError: The environment is invalid, or the package cannot be built.
    """
    context = app.node.try_get_context
    environment = load_environment(context("environments"), context("env"))
    target = requested_target(environment, context("package_for"))
    package = build_package(target, project=HERE, additions=PROCESSOR)
    shared = SharedStack(app, "Shared", environment=environment, names=PushSharedNames(environment))
    channel = ChannelStack(
        app,
        "Push",
        channel=PUSH,
        environment=environment,
        shared=shared,
        code=package.code(),
        names=PushNames(PUSH, environment),
    )
    router = iam.Role(channel, "Router", assumed_by=iam.AccountRootPrincipal())
    channel.channel_queue.grant_send(router)


def main() -> None:
    """Synthesize the app; exit with one message if that fails."""
    app = App()
    try:
        build(app)
    except SynthesisError as error:
        sys.exit(f"error: {error}")
    app.synth()


if __name__ == "__main__":
    main()
