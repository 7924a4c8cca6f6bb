"""The app's templates, synthesized once per run and without building the package."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from aws_cdk import App

from app import build, main
from stacks.config.environments import Environment, load_environment
from stacks.packaging.lambda_package import LambdaPackage

ROOT = Path(__file__).resolve().parents[2]
CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
ENVIRONMENTS = tuple(CONTEXT["environments"])
STACKS = ("Shared", "WhatsApp")
TOPIC = "AWS::SNS::Topic"
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
    "max_receive_count": 18,
    "tenants": ["demo-company"],
}
"""An environment like `dev`, for tests of what a key changes."""

DELIVERY: dict[str, Any] = {"delivery_webhook": True, "delivery_sweep": True}
"""The keys that add what happens after the send."""

EVERYTHING: dict[str, Any] = {
    "alert_email": "on-call@example.com",
    "customer_managed_key": True,
    "email_identities": {"demo-company": ["mail.example.com", "sales@example.org"]},
    **DELIVERY,
}
"""All keys that add resources."""

PROTECTED: dict[str, Any] = {"customer_managed_key": True, "tenants": ["demo-company"]}
"""Keys with which production has all resources that keep data."""

CHANGED: dict[str, Any] = {
    "account": "111122223333",
    "region": "cn-north-1",
    "deletion_protection": True,
    "function_runtime": "python3.14",
    "function_architecture": "x86_64",
    "function_memory_mb": 1_024,
    "function_timeout_seconds": 900,
    "snap_start": True,
    "batch_size": 1,
    "maximum_concurrency": 1_000,
    "max_receive_count": 26,
    "log_level": "DEBUG",
    "openai_base_url": "https://eu.api.openai.com/v1",
    "assistants_base_url": "https://assistants.example.com/v1",
    "conversation_retention_days": 45,
    "delivery_webhook": True,
}
"""Other values than the sample's, some at the ends of their ranges, and all optional variables."""

ACCOUNT, REGION = "111122223333", "eu-west-1"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}
NAMES = {
    "AWS::SQS::Queue": ("sqs", "QueueName", "{}"),
    TOPIC: ("sns", "TopicName", "{}"),
    "AWS::Logs::LogGroup": ("logs", "LogGroupName", "log-group:{}"),
    "AWS::Lambda::Function": ("lambda", "FunctionName", "function:{}"),
    "AWS::Lambda::Alias": ("lambda", "Name", "function:{}"),
    "AWS::DynamoDB::Table": ("dynamodb", "TableName", "table/{}"),
    "AWS::KMS::Key": ("kms", "", "key/{}"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "AlarmName", "alarm:{}"),
}
"""By type: the service, the property with the name, and the end of the ARN."""

_SHARED = os.environ.get("TESTS_SHARED_FOLDER")  # only in tests
_SCRATCH = tempfile.TemporaryDirectory(prefix="synthesis-", dir=_SHARED)


class Resource(NamedTuple):
    """A resource with its references resolved."""

    stack: str
    kind: str
    arn: str
    properties: dict[str, Any]


@dataclass(frozen=True)
class Synthesized:
    """The cloud assembly of a synth, in the directory where it was written."""

    directory: Path

    def template(self, stack: str) -> Any:
        """Return a stack's CloudFormation template, by the stack's construct id."""
        return _read(self.directory / f"{stack}.template.json")

    def artifact(self, stack: str) -> Any:
        """Return a stack's artifact of the manifest."""
        return _read(self.directory / "manifest.json")["artifacts"][stack]

    def resources(self, stack: str, kind: str) -> list[dict[str, Any]]:
        """Return the stack's resources of a CloudFormation type such as `AWS::SQS::Queue`."""
        resources = self.template(stack)["Resources"].values()
        return [resource for resource in resources if resource["Type"] == kind]

    def properties(self, stack: str, kind: str) -> Any:
        """Return the properties of the stack's only resource of that type."""
        (resource,) = self.resources(stack, kind)
        return resource["Properties"]

    def resolved(self, kind: str = "") -> list[Resource]:
        """Return the resources of all stacks, or those of a type, with references resolved."""
        artifacts = _read(self.directory / "manifest.json")["artifacts"].items()
        stacks = [name for name, each in artifacts if each["type"] == "aws:cloudformation:stack"]
        ids = {self.artifact(stack)["properties"]["stackName"]: stack for stack in stacks}
        resolver = _Resolver({stack: self.template(stack) for stack in stacks}, ids)
        return [each for each in resolver.resources() if kind in {each.kind, ""}]

    def variables(self) -> Any:
        """Return the processor's environment variables."""
        functions = self.resources("WhatsApp", "AWS::Lambda::Function")
        (processor,) = [
            each["Properties"]
            for each in functions
            if "processor" in each["Properties"]["FunctionName"]
        ]
        return processor["Environment"]["Variables"]


class _Resolver:
    """Resolves the references of an environment's templates as CloudFormation does."""

    def __init__(self, templates: dict[str, dict[str, Any]], ids: dict[str, str]) -> None:
        self._templates, self._ids = templates, ids

    def resources(self) -> Iterator[Resource]:
        for stack, template in self._templates.items():
            for name, resource in template["Resources"].items():
                properties = self._resolve(resource.get("Properties", {}), stack)
                yield Resource(stack, resource["Type"], self._arn(stack, name), properties)

    def _resolve(self, value: Any, stack: str) -> Any:
        match value:
            case {"Ref": str() as name} if name in PSEUDO_PARAMETERS:
                return PSEUDO_PARAMETERS[name]
            case list():
                return [self._resolve(part, stack) for part in value]
            case dict() if len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::")):
                return self._intrinsic(value, stack)
            case dict():
                return {key: self._resolve(part, stack) for key, part in value.items()}
        return value

    def _intrinsic(self, value: dict[str, Any], stack: str) -> Any:
        match value:
            case {"Ref": str() as name} if self._resource(stack, name)["Type"] != TOPIC:
                return self._name(stack, name)
            case {"Ref": str() as name} | {"Fn::GetAtt": [str() as name, "Arn" | "TopicArn"]}:
                return self._arn(stack, name)
            case {"Fn::GetAtt": [str() as name, "QueueName" | "TopicName"]}:
                return self._name(stack, name)
            case {"Fn::Join": [str() as separator, list() as parts]}:
                return separator.join(self._resolve(parts, stack))
            case {"Fn::GetStackOutput": {"StackName": str() as name, "OutputName": output}}:
                stack = self._ids[name]
                return self._resolve(self._templates[stack]["Outputs"][output]["Value"], stack)
        return str(value)  # an attribute that no test depends on

    def _resource(self, stack: str, logical_id: str) -> Any:
        return self._templates[stack]["Resources"][logical_id]

    def _name(self, stack: str, logical_id: str) -> str:
        resource = self._resource(stack, logical_id)
        _, key, _ = NAMES.get(resource["Type"], ("", "", ""))
        return str(self._resolve(resource.get("Properties", {}).get(key, logical_id), stack))

    def _arn(self, stack: str, logical_id: str) -> str:
        kind = self._resource(stack, logical_id)["Type"]
        service, _, end = NAMES.get(kind, (kind, "", "{}"))
        return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{end.format(self._name(stack, logical_id))}"


def _read(file: Path) -> Any:
    return json.loads(file.read_text())


def environment(name: str | None = None, **changes: Any) -> Environment:
    """Return an environment of `cdk.json`, or the sample, with other values of some keys."""
    return load_environment({name or "dev": _values(name, changes)}, name or "dev")


def _values(name: str | None, changes: dict[str, Any]) -> dict[str, Any]:
    return (CONTEXT["environments"][name] if name else SAMPLE) | changes


def new_app(**context: object) -> App:
    """Return an empty app with the feature flags of deployments, and changes of the context.

    The CDK does not validate its templates, which takes most of a synth: cfn-lint does in tests.
    """
    return App(
        context=CONTEXT | context,
        outdir=tempfile.mkdtemp(dir=_SCRATCH.name),
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
    )


def stub_package(edition: int = 0) -> LambdaPackage:
    """Return a package that cannot run, the same on every machine; editions differ."""
    directory = Path(_SCRATCH.name) / f"package-{edition}"
    directory.mkdir(exist_ok=True)
    (directory / "stub.txt").write_text(f"edition {edition} of the package")
    return LambdaPackage(directory, fingerprint=f"{edition:064x}")


def synthesize(name: str | None = None, **changes: Any) -> Synthesized:
    """Synthesize the app for an environment, once for equal values in all processes of a run."""
    key = hashlib.sha256(json.dumps([name, _values(name, changes)], sort_keys=True).encode())
    finished = Path(_SHARED or _SCRATCH.name, key.hexdigest())
    with finished.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not finished.exists():
            assemble(environment(name, **changes), stub_package()).directory.rename(finished)
    return Synthesized(finished)


def assemble(environment: Environment, package: LambdaPackage) -> Synthesized:
    """Synthesize the app for an environment and a package."""
    app = new_app()
    build(app, environment, package)
    return Synthesized(Path(app.synth().directory))


def run_app(output: Path, **context: object) -> subprocess.CompletedProcess[str]:
    """Run app.py as the CDK's command line does, which passes context and output as variables.

    Args:
        output: The directory of the cloud assembly.
        context: Changes of the context in `cdk.json`.
    """
    # The certificates are those of a package index, if it has private ones.
    passed_on = ("PATH", "HOME", "JSII_NODE", "SSL_CERT_FILE")
    variables = {name: os.environ[name] for name in passed_on if name in os.environ} | {
        "CDK_CONTEXT_JSON": json.dumps(CONTEXT | context),
        "CDK_OUTDIR": str(output),
    }
    command = [sys.executable, "app.py"]
    return subprocess.run(  # noqa: S603 - our own arguments
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=120, check=False
    )


def synthesis_error(monkeypatch: pytest.MonkeyPatch, **context: object) -> object:
    """Run the app's main function in this process; return the message with which it exits."""
    monkeypatch.setattr("app.App", lambda **_: new_app(**context))
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def violations(directory: Path) -> list[dict[str, Any]]:
    """Return the violated invariants in the report of a synth, each with its places."""
    plugins = _read(directory / "validation-report.json")["pluginReports"]
    return [v for p in plugins if p["pluginName"] == "Invariants" for v in p["violations"]]
