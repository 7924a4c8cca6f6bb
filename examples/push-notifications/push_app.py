"""Push notifications as a channel: an app of its own, made of the installed constructs.

`cdk synth -c env=dev`; `-c package_for=host` is how the local cloud asks for functions that run on
this machine.
"""

import sys
from pathlib import Path

from ai_multi_comms.constructs import (
    Additions,
    Channel,
    ChannelStack,
    SharedStack,
    SynthesisError,
    build_package,
    load_environment,
    requested_target,
)
from aws_cdk import App
from aws_cdk import aws_iam as iam

from naming import PushNames, PushSharedNames

HERE = Path(__file__).resolve().parent
PROCESSOR = Additions(packages=(HERE / "push_processor",))

PUSH = Channel(
    name="push",
    display="Push",
    metric_filter_part="Push",
    credentials_form='{"push_app_key": "…"}',
    handler="push_processor.index.lambda_handler",
    vendor="Example Push",
)


def main() -> None:
    """Synthesize the environment of context `env`; exit with one message where that fails."""
    app = App()
    context = app.node.try_get_context
    try:
        environment = load_environment(context("environments"), context("env"))
        target = requested_target(environment, context("package_for"))
        package = build_package(target, project=HERE, additions=PROCESSOR)
    except SynthesisError as error:
        sys.exit(f"error: {error}")
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
    app.synth()


if __name__ == "__main__":
    main()
