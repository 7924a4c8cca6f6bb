"""The app as people and the CDK's command line run it."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from cfnlint.api import lint  # type: ignore[import-untyped]  # it ships no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # the same

from app import build
from stacks.errors import ConfigurationError
from stacks.packaging.lambda_package import requested_target
from tests.infra.synthesis import (
    ENVIRONMENTS,
    ROOT,
    STACKS,
    environment,
    new_app,
    run_app,
    stub_package,
    synthesize,
)

WITH_KEY: dict[str, object] = {"customer_managed_key": True}
TEMPLATES = [
    *((name, stack, dict[str, object]()) for name in ENVIRONMENTS for stack in STACKS),
    *((None, stack, WITH_KEY) for stack in STACKS),
]


def test_error_is_one_message(tmp_path: Path) -> None:
    """An unknown environment ends synth with one message and without a traceback."""
    done = run_app(tmp_path, env="qa")
    assert 1 == done.returncode
    assert (
        "error: unknown environment 'qa': give one of dev, prod, staging, as in `-c env=dev`\n"
        == done.stderr
    )


def test_invalid_definition_stops_synth(tmp_path: Path) -> None:
    """A misspelled key of an assistant definition ends synth with one line that names both."""
    shutil.copy(ROOT / "app.py", tmp_path)
    for package in ("lambda_src", "stacks"):
        shutil.copytree(ROOT / package, tmp_path / package)
    file = tmp_path / "lambda_src" / "assistants" / "first_contact.toml"
    file.write_text(file.read_text().replace("max_length = 40", "max_lenght = 40"))
    done = run_app(tmp_path / "cdk.out", tmp_path, env="dev")
    assert 1 == done.returncode
    assert (
        "error: lambda_src/assistants/first_contact.toml: variables.1.max_lenght: expected only"
        " the keys description, max_length, found a number\n" == done.stderr
    )


@pytest.mark.usefixtures("host_package")
def test_synth_has_no_findings(tmp_path: Path) -> None:
    """A synth with all validation and without credentials prints and reports nothing."""
    done = run_app(tmp_path, env="dev", package_for="host")
    output = [
        line for line in done.stderr.splitlines() if not line.startswith("building the Lambda")
    ]
    assert (0, []) == (done.returncode, output)
    assert [] == json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    (staged,) = tmp_path.glob("asset.*")
    assert (staged / "lambda_src" / "core" / "contract.py").is_file()


def test_cdk_nag_is_active() -> None:
    """A topic without TLS in another stack of the app stops synth and is named."""
    app = new_app()
    build(app, environment(), stub_package())
    sns.Topic(Stack(app, "Planted"), "Topic")
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        app.synth()
    report = (Path(app.outdir) / "validation-report.json").read_text()
    assert "Planted/Topic/Resource" in report


@pytest.mark.parametrize(("name", "stack", "changes"), TEMPLATES)
def test_template_is_valid(name: str | None, stack: str, changes: dict[str, object]) -> None:
    """cfn-lint has no remark on any template, except about how the CDK writes ARNs."""
    template = synthesize(name, **changes).template(stack)
    rules = ManualArgs(include_checks=["I"], ignore_checks=["I1022"], regions=["us-east-1"])
    assert [] == [str(match) for match in lint(json.dumps(template), config=rules)]


def test_package_target() -> None:
    """The package is built for the function's runtime, or for the host."""
    x86 = environment(function_architecture="x86_64", function_runtime="python3.14")
    assert "Python 3.14 on x86_64-manylinux2014" == str(requested_target(x86, "lambda"))
    assert (
        f"{sys.version_info.major}.{sys.version_info.minor}" == requested_target(x86, "host").python
    )
    with pytest.raises(ConfigurationError, match=r"package_for: 'moon' is not one of lambda, host"):
        requested_target(x86, "moon")
