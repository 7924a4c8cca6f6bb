"""The CDK app: reads the context, and creates an environment's stacks.

`cdk synth -c env=dev`; `-c package_for=host` builds the functions' code for the Python and the
machine that run synth instead of Lambda's, so that an embedded AWS on that machine can run it.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # Python does not with PYTHONSAFEPATH

from aws_cdk import App, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from stacks.channel_stack import ChannelStack
from stacks.channels import CHANNELS, add_resources
from stacks.config import PROJECT
from stacks.config.environments import Environment, load_environment
from stacks.errors import SynthesisError
from stacks.packaging.contents import Additions
from stacks.packaging.lambda_package import (
    LambdaPackage,
    build_package,
    build_receiver,
    remove_replaced_assets,
    requested_target,
)
from stacks.shared_stack import SharedStack
from stacks.template_validation import TemplateValidation

PROJECT_ROOT = Path(__file__).resolve().parent


def build(app: App, environment: Environment, package: LambdaPackage) -> None:
    """Add an environment's stacks to the app, with tags and with the rules to check."""
    receiver = build_receiver(project=PROJECT_ROOT) if environment.delivery_webhook else None
    shared = SharedStack(app, "Shared", environment=environment)
    Tags.of(shared).add("channel", "shared")
    for channel in CHANNELS:
        stack = ChannelStack(
            app,
            channel.display,
            channel=channel,
            environment=environment,
            shared=shared,
            code=package.code(),
            receiver_code=receiver.code() if receiver else None,
        )
        add_resources(stack)
        Tags.of(stack).add("channel", channel.name)
    Tags.of(app).add("project", PROJECT)
    Tags.of(app).add("environment", environment.name)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def main() -> None:
    """Synthesize the environment of context `env`; exit with one message if that fails."""
    app = App(builtin_cloud_formation_validation=False)  # TemplateValidation does it
    context = app.node.try_get_context
    try:
        environment = load_environment(context("environments"), context("env"))
        target = requested_target(environment, context("package_for"))
        services = frozenset(name for channel in CHANNELS for name in channel.aws_services)
        package = build_package(
            target, project=PROJECT_ROOT, additions=Additions(services=services)
        )
        build(app, environment, package)
        Validations.of(app).add_plugins(TemplateValidation(PROJECT_ROOT / ".build" / "validated"))
    except SynthesisError as error:
        sys.exit(f"error: {error}")
    _synthesize(app)


def _synthesize(app: App) -> None:
    """Write the cloud assembly; exit if a rule is violated, after the CDK has reported it.

    The CDK leaves the assets of earlier assemblies in the directory, a package for each edit.
    """
    try:
        app.synth()
    except RuntimeError as error:
        if not str(error).startswith("ValidationFailed"):
            raise
        sys.exit("error: " + str(error).partition(": ")[2])
    remove_replaced_assets(Path(app.outdir))


if __name__ == "__main__":
    main()
