"""The app's templates, synthesized once per process and without building the package."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from aws_cdk import App

from app import build
from stacks.config.environments import Environment, load_environment
from stacks.packaging.lambda_package import LambdaPackage

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
"""An environment like `dev`, for tests of what a key changes."""

_SCRATCH = tempfile.TemporaryDirectory(prefix="synthesis-")


@dataclass(frozen=True)
class Synthesized:
    """The cloud assembly of a synth, in the directory where it was written."""

    directory: Path

    def template(self, stack: str) -> dict[str, Any]:
        """Return a stack's CloudFormation template, by the stack's construct id."""
        return _read(self.directory / f"{stack}.template.json")

    def artifact(self, stack: str) -> dict[str, Any]:
        """Return a stack's artifact of the manifest."""
        artifact: dict[str, Any] = _read(self.directory / "manifest.json")["artifacts"][stack]
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

    def variables(self) -> dict[str, Any]:
        """Return the function's environment variables; a reference is a placeholder text."""
        function = self.properties("WhatsApp", "AWS::Lambda::Function")
        return {
            name: value if isinstance(value, str) else "resolved-at-deployment"
            for name, value in function["Environment"]["Variables"].items()
        }


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def environment(name: str | None = None, **changes: object) -> Environment:
    """Return an environment of `cdk.json`, or the sample, with other values of some keys."""
    values = (CONTEXT["environments"][name] if name else SAMPLE) | changes
    return load_environment({name or "dev": values}, name or "dev")


def new_app() -> App:
    """Return an empty app with the feature flags of deployments."""
    return App(
        context=CONTEXT, outdir=tempfile.mkdtemp(dir=_SCRATCH.name), analytics_reporting=False
    )


def stub_package(edition: int = 0) -> LambdaPackage:
    """Return a package that cannot run, the same on every machine; editions differ."""
    directory = Path(_SCRATCH.name) / f"package-{edition}"
    directory.mkdir(exist_ok=True)
    (directory / "stub.txt").write_text(f"edition {edition} of the package")
    return LambdaPackage(directory, fingerprint=f"{edition:064x}")


def synthesize(name: str | None = None, **changes: object) -> Synthesized:
    """Synthesize the app for an environment, once per process for the same arguments."""
    return _synthesize(name, json.dumps(changes))


@cache
def _synthesize(name: str | None, changes: str) -> Synthesized:
    return assemble(environment(name, **json.loads(changes)), stub_package())


def assemble(environment: Environment, package: LambdaPackage) -> Synthesized:
    """Synthesize the app for an environment and a package."""
    app = new_app()
    build(app, environment, package)
    return Synthesized(Path(app.synth().directory))


def run_app(output: Path, **context: object) -> subprocess.CompletedProcess[str]:
    """Run app.py as the CDK's command line does, which passes context and output as variables."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "JSII_NODE": os.environ["JSII_NODE"],
        "CDK_CONTEXT_JSON": json.dumps(CONTEXT | context),
        "CDK_OUTDIR": str(output),
    }
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def violations(directory: Path) -> list[dict[str, Any]]:
    """Return the violated invariants in the report of a synth, each with its places."""
    plugins = _read(directory / "validation-report.json")["pluginReports"]
    return [v for p in plugins if p["pluginName"] == "Invariants" for v in p["violations"]]
