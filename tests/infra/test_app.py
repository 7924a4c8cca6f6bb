"""The app as people and the CDK's command line run it: synth, findings, and differences."""

import json
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aws_cdk import Stack
from aws_cdk import aws_sns as sns
from cfnlint.api import lint  # type: ignore[import-untyped]  # it ships no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # the same

from app import build
from local.aws import base_environment
from local.deployment import start_cdk
from stacks.errors import ConfigurationError
from stacks.packaging.lambda_package import requested_target
from tests.infra import synthesis
from tests.infra.synthesis import ENVIRONMENTS, ROOT, STACKS, Synthesized, environment, stub_package

CHANGE = re.compile(r"^\[[~+-]\] (?P<kind>AWS::\S+) ", re.MULTILINE)
OF_THE_CODE = {"AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::Lambda::Alias"}
TEMPLATES = [
    *((name, stack, False) for name in ENVIRONMENTS for stack in STACKS),
    *((None, stack, True) for stack in STACKS),
]


def test_error_is_one_message(tmp_path: Path) -> None:
    """An unknown environment ends synth with one message and without a traceback."""
    done = synthesis.run_app(tmp_path, env="qa")
    listed = "give one of dev, prod, staging, as in `-c env=dev`"
    assert (1, f"error: unknown environment 'qa': {listed}\n") == (done.returncode, done.stderr)


def test_invalid_definition_stops_synth(tmp_path: Path) -> None:
    """A misspelled key of an assistant definition ends synth with one line that names both."""
    shutil.copy(ROOT / "app.py", tmp_path)
    for package in ("lambda_src", "stacks"):
        shutil.copytree(ROOT / package, tmp_path / package)
    file = tmp_path / "lambda_src" / "assistants" / "first_contact.toml"
    file.write_text(file.read_text().replace("max_length = 40", "max_lenght = 40"))
    done = synthesis.run_app(tmp_path / "cdk.out", tmp_path, env="dev")
    assert 1 == done.returncode
    assert (
        "error: lambda_src/assistants/first_contact.toml: variables.1.max_lenght: expected only"
        " the keys description, max_length, found a number (did you mean max_length?)\n"
        == done.stderr
    )


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


@pytest.mark.parametrize(("name", "stack", "has_key"), TEMPLATES)
def test_template_is_valid(name: str | None, stack: str, has_key: bool) -> None:
    """cfn-lint has no remark on any template, except about how the CDK writes ARNs."""
    changes = {"customer_managed_key": True} if has_key else {}
    template = synthesis.synthesize(name, **changes).template(stack)
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


@pytest.fixture(scope="module")
def deployed() -> Synthesized:
    """Return the deployed templates."""
    return synthesis.assemble(environment(), stub_package())


def _changes(deployed: Synthesized, wanted: Synthesized, folder: Path) -> dict[str, list[str]]:
    """Return the types of the resources that `cdk diff` would change, by stack."""

    def diff(stack: str) -> list[str]:
        log, before = folder / f"{stack}.log", deployed.directory / f"{stack}.template.json"
        what = ("--app", str(wanted.directory), "--exclusively", stack, "--template", str(before))
        with start_cdk("diff", *what, env=base_environment(), cwd=folder, log=log) as cdk:
            status = cdk.wait()
        text = log.read_text()
        assert (0, True) == (status, "Number of stacks with differences" in text), text
        return CHANGE.findall(text)

    with ThreadPoolExecutor() as pool:
        return dict(zip(STACKS, pool.map(diff, STACKS), strict=True))


def test_same_sources(deployed: Synthesized, tmp_path: Path) -> None:
    """A synth of the same sources changes nothing."""
    again = synthesis.assemble(environment(), stub_package())
    assert {stack: [] for stack in STACKS} == _changes(deployed, again, tmp_path)


def test_change_of_the_code(deployed: Synthesized, tmp_path: Path) -> None:
    """New code makes a new version of the function behind its alias, and changes nothing else."""
    wanted = synthesis.assemble(environment(), stub_package(edition=1))
    changed = _changes(deployed, wanted, tmp_path)
    assert ([], OF_THE_CODE) == (changed["Shared"], set(changed["WhatsApp"]))


def test_change_of_an_environment(deployed: Synthesized, tmp_path: Path) -> None:
    """A change of one key changes one resource of each function."""
    wanted = synthesis.assemble(environment(log_retention_days=30), stub_package())
    expected = {"Shared": [], "WhatsApp": 2 * ["AWS::Logs::LogGroup"]}
    assert expected == _changes(deployed, wanted, tmp_path)
