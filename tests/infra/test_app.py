"""The app as people and the CDK's command line run it: synth, findings, and differences."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aws_cdk import PolicyValidationPluginReport, Stack, Validations
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from cfnlint.api import lint  # type: ignore[import-untyped]  # it ships no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # the same

from app import build
from stacks import template_validation
from stacks.errors import ConfigurationError
from stacks.packaging.lambda_package import requested_target
from stacks.template_validation import TemplateValidation
from tests.infra import synthesis
from tests.infra.synthesis import STACKS, environment, stub_package

OF_THE_CODE = {"AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias"}


def test_error_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown environment ends synth with one message."""
    listed = "give one of dev, prod, staging, as in `-c env=dev`"
    message = synthesis.synthesis_error(monkeypatch, env="qa")
    assert f"error: unknown environment 'qa': {listed}" == message


@pytest.mark.usefixtures("host_package")
def test_synth_has_no_findings(tmp_path: Path) -> None:
    """A synth with all validation and without credentials prints and reports nothing.

    Of the assets in the directory only its own are left.
    """
    (tmp_path / "asset.of-an-earlier-synth").mkdir()
    done = synthesis.run_app(tmp_path, env="dev", package_for="host")
    lines = done.stderr.splitlines()
    output = [line for line in lines if not line.startswith("building the Lambda")]
    assert (0, []) == (done.returncode, output)
    assert [] == json.loads((tmp_path / "validation-report.json").read_text())["pluginReports"]
    staged = [
        {file.name for file in (each / "lambda_src").iterdir()} for each in tmp_path.glob("asset.*")
    ]
    (receiver,) = [names for names in staged if "core" not in names]
    assert 2 == len(staged)
    assert {"__init__.py", "receiver.py"} == receiver


def test_cdk_nag_is_active() -> None:
    """A topic without TLS in another stack of the app stops synth and is named."""
    app = synthesis.new_app()
    build(app, environment(), stub_package())
    sns.Topic(Stack(app, "Planted"), "Topic")
    with pytest.raises(RuntimeError, match="AwsSolutions-SNS3"):
        app.synth()
    report = (Path(app.outdir) / "validation-report.json").read_text()
    assert "Planted/Topic/Resource" in report


def test_an_invalid_template_stops_synth(tmp_path: Path) -> None:
    """CloudFormation's rules apply as in any app of the CDK, and a finding is not remembered."""
    app = synthesis.new_app()
    Validations.of(app).add_plugins(TemplateValidation(tmp_path / "passed"))
    sqs.CfnQueue(Stack(app, "Planted"), "Queue", message_retention_period=59)
    with pytest.raises(RuntimeError, match="MessageRetentionPeriod"):
        app.synth()
    assert not (tmp_path / "passed").exists()


def test_templates_are_validated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CDK's engine starts again for another template, place or account, and for findings."""
    results = iter((True, True, True, False, False))

    class Engine:
        def validate(self, _: object) -> PolicyValidationPluginReport:
            return PolicyValidationPluginReport(success=next(results), violations=[])

    def validate(text: str, **stack: str) -> bool:
        (file := tmp_path / "template.json").write_text(text)
        place = {"stack_construct_path": "A", "account_id": "1", "region": "eu-west-1"} | stack
        templates = [SimpleNamespace(template_path=str(file), **place)]
        context: Any = SimpleNamespace(stack_templates=templates)
        return bool(TemplateValidation(tmp_path / "passed").validate(context).success)

    monkeypatch.setattr(template_validation, "CloudFormationValidatePlugin", Engine)
    assert [True] * 4 == [
        *(validate("{}"), validate("{}")),
        *(validate("{}", account_id="2"), validate("{ }")),
    ]
    assert [False] * 2 == [validate("[]"), validate("[]")]
    assert validate("{}")
    assert [] == list(results)


@pytest.mark.parametrize("stack", STACKS)
def test_template_is_valid(stack: str) -> None:
    """cfn-lint has no remark on a template in production, but about how the CDK writes ARNs."""
    template = synthesis.synthesize("prod", **synthesis.PROTECTED).template(stack)
    rules = ManualArgs(include_checks=["I"], ignore_checks=["I1022"], regions=["us-east-1"])
    assert [] == [str(match) for match in lint(json.dumps(template), config=rules)]


def test_package_target() -> None:
    """The package is built for the function's runtime, or for the host."""
    x86 = environment(function_architecture="x86_64", function_runtime="python3.14")
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert "Python 3.14 on x86_64-manylinux2014" == str(requested_target(x86, "lambda"))
    assert own == requested_target(x86, "host").python
    with pytest.raises(ConfigurationError, match=r"package_for: 'moon' is not one of lambda, host"):
        requested_target(x86, "moon")


def test_change_of_the_code() -> None:
    """New code makes a new version of the function behind its alias, and changes nothing else."""
    deployed = synthesis.synthesize()
    wanted = synthesis.assemble(environment(), stub_package(edition=1))
    changed = {}
    for stack in STACKS:
        before, after = (each.template(stack)["Resources"] for each in (deployed, wanted))
        differ = {name for name in before | after if before.get(name) != after.get(name)}
        changed[stack] = {(before | after)[name]["Type"] for name in differ}
    assert {"Shared": set(), "WhatsApp": OF_THE_CODE} == changed
