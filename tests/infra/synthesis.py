"""The app's templates, for tests: synthesized once per process, without building the package."""

import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aws_cdk import App

from app import build
from stacks.environments import Environment, load_environment
from stacks.lambda_package import LambdaPackage

ROOT = Path(__file__).resolve().parents[2]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
ENVIRONMENTS = tuple(CONTEXT["environments"])
STACKS = ("Shared", "WhatsApp")
SAMPLE: dict[str, Any] = {
    "tier": "development",
    "removal_policy": "destroy",
    "deletion_protection": False,
    "point_in_time_recovery": False,
    "log_retention_days": 7,
    "log_level": "INFO",
    "function_runtime": "python3.13",
    "function_architecture": "arm64",
    "function_memory_mb": 512,
    "function_timeout_seconds": 180,
    "snap_start": False,
    "batch_size": 10,
    "maximum_concurrency": 2,
    "max_receive_count": 10,
    "tenants": ["demo-company"],
}
"""An environment like `dev`, for tests of what a key changes rather than of what is deployed."""

_SCRATCH = tempfile.TemporaryDirectory(prefix="synthesis-")


@dataclass(frozen=True)
class Synthesized:
    """What a synth wrote.

    Attributes:
        directory: The cloud assembly.
    """

    directory: Path

    def template(self, stack: str) -> dict[str, Any]:
        """Return a stack's CloudFormation template, by the stack's construct id."""
        text = (self.directory / f"{stack}.template.json").read_text()
        template: dict[str, Any] = json.loads(text)
        return template

    def artifact(self, stack: str) -> dict[str, Any]:
        """Return what the cloud assembly's manifest says of a stack."""
        manifest = json.loads((self.directory / "manifest.json").read_text())
        artifact: dict[str, Any] = manifest["artifacts"][stack]
        return artifact

    def resources(self, stack: str, kind: str) -> list[dict[str, Any]]:
        """Return the stack's resources of a CloudFormation type such as `AWS::SQS::Queue`."""
        resources = self.template(stack)["Resources"].values()
        return [resource for resource in resources if resource["Type"] == kind]

    def properties(self, stack: str, kind: str) -> dict[str, Any]:
        """Return the properties of the stack's only resource of that type."""
        (resource,) = self.resources(stack, kind)
        properties: dict[str, Any] = resource["Properties"]
        return properties


def environment(name: str | None = None, **changes: object) -> Environment:
    """Return an environment with some of its keys' values changed.

    Args:
        name: One of `cdk.json`; without a name, the sample, which no edit of that file changes.
        changes: Values by key.
    """
    values = (CONTEXT["environments"][name] if name else SAMPLE) | changes
    return load_environment({name or "dev": values}, name or "dev")


def new_app() -> App:
    """Return an empty app with the feature flags that deployments have."""
    return App(
        context=CONTEXT,
        outdir=tempfile.mkdtemp(dir=_SCRATCH.name),
        analytics_reporting=False,
    )


def stub_package(edition: int = 0) -> LambdaPackage:
    """Return a package that is not to be run, the same on every machine; editions differ."""
    directory = Path(_SCRATCH.name) / f"package-{edition}"
    directory.mkdir(exist_ok=True)
    (directory / "stub.txt").write_text(f"stands for edition {edition} of the package")
    return LambdaPackage(directory, fingerprint=f"{edition:064x}")


def synthesize(name: str | None = None, **changes: object) -> Synthesized:
    """Synthesize the app for what `environment` returns.

    The same question is answered once per process.
    """
    return _synthesize(name, json.dumps(changes))


@cache
def _synthesize(name: str | None, changes: str) -> Synthesized:
    return assemble(environment(name, **json.loads(changes)), stub_package())


def assemble(environment: Environment, package: LambdaPackage) -> Synthesized:
    """Synthesize the app anew, for an environment and with a package."""
    app = new_app()
    build(app, environment, package)
    return Synthesized(Path(app.synth().directory))
