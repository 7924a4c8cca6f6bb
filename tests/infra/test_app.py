"""The app as people and the CDK's command line run it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from cfnlint.api import lint  # type: ignore[import-untyped]  # it ships no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # the same

from app import build
from stacks.errors import ConfigurationError
from stacks.package_target import requested_target
from tests.infra.synthesis import (
    CONTEXT,
    ENVIRONMENTS,
    ROOT,
    STACKS,
    environment,
    new_app,
    stub_package,
    synthesize,
)


def _run(tmp_path: Path, **context: object) -> subprocess.CompletedProcess[str]:
    """Run the app as the command line does: context and output folder come as variables."""
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
        "JSII_NODE": os.environ["JSII_NODE"],
        "CDK_CONTEXT_JSON": json.dumps(CONTEXT | context),
        "CDK_OUTDIR": str(tmp_path),
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


def test_refusal_is_one_message(tmp_path: Path) -> None:
    """An environment that does not exist ends synth with one message and no traceback."""
    refused = _run(tmp_path, env="qa")

    assert 1 == refused.returncode
    assert (
        "error: unknown environment 'qa': give one of dev, prod, staging, as in `-c env=dev`\n"
        == refused.stderr
    )


@pytest.mark.usefixtures("host_package")
def test_whole_run_is_clean(tmp_path: Path) -> None:
    """A whole synth, with all validation on and no credentials, has nothing to complain of."""
    done = _run(tmp_path, env="dev", package_for="host")

    complaints = [
        line for line in done.stderr.splitlines() if not line.startswith("building the Lambda")
    ]
    assert (0, []) == (done.returncode, complaints)
    assert [] == json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    (staged,) = tmp_path.glob("asset.*")
    assert (staged / "lambda_src" / "core" / "contract.py").is_file()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_rules_are_kept(name: str) -> None:
    """Every environment synthesizes, which it does not with a finding of AwsSolutions."""
    assert set(STACKS) <= {path.name.split(".")[0] for path in synthesize(name).directory.iterdir()}


def test_rules_are_alive() -> None:
    """A topic without TLS, planted beside the stacks, stops synth and is named."""
    app = new_app()
    build(app, environment(), stub_package())
    sns.Topic(Stack(app, "Planted"), "Topic")

    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        app.synth()
    report = (Path(app.outdir) / "validation-report.json").read_text()
    assert "Planted/Topic/Resource" in report


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_templates_fit_cloudformation(name: str, stack: str) -> None:
    """cfn-lint finds nothing, and has nothing to remark but on how the CDK writes ARNs."""
    assert [] == _remarks(synthesize(name).template(stack))


@pytest.mark.parametrize("stack", STACKS)
def test_templates_with_a_key_fit_cloudformation(stack: str) -> None:
    """The same holds for an environment that has a key of its own."""
    assert [] == _remarks(synthesize(customer_managed_key=True).template(stack))


def _remarks(template: dict[str, object]) -> list[str]:
    rules = ManualArgs(include_checks=["I"], ignore_checks=["I1022"], regions=["us-east-1"])
    return [str(match) for match in lint(json.dumps(template), config=rules)]


def test_packages_for() -> None:
    """The package is for the function's runtime, or for whoever runs synth."""
    x86 = environment(function_architecture="x86_64", function_runtime="python3.14")

    assert "Python 3.14 on x86_64-manylinux2014" == str(requested_target(x86, "lambda"))
    assert (
        f"{sys.version_info.major}.{sys.version_info.minor}" == requested_target(x86, "host").python
    )


def test_packages_for_something_else() -> None:
    """Anything else to build for is refused with what is allowed."""
    with pytest.raises(ConfigurationError, match=r"package_for: 'moon' is not one of lambda, host"):
        requested_target(environment(), "moon")
