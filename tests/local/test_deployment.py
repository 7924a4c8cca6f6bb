"""The app is synthesized by the CDK's command line, once for the same sources."""

import fcntl
import json
import re
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import urlsplit

import pytest

from local import paths, up
from local.cloud import LocalCloud
from local.deployment import CloudAssembly, SourceWatch, default_project
from local.emulator.metric_math import MathMetric, evaluate, parse
from local.errors import LocalCloudError
from local.fakes.server import HOST
from local.up import show_source_changes
from local.vendors import FakeVendors, assistant_definitions
from tests.local.recorded_screen import RecordedScreen

APP = """
import json, os, pathlib
outdir = pathlib.Path(os.environ["CDK_OUTDIR"])
outdir.mkdir(exist_ok=True)
stack = {
    "type": "aws:cloudformation:stack",
    "environment": "aws://unknown-account/unknown-region",
    "properties": {"templateFile": "Stack.template.json"},
}
manifest = {"version": "36.0.0", "artifacts": {"Stack": stack}}
(outdir / "manifest.json").write_text(json.dumps(manifest))
(outdir / "Stack.template.json").write_text("{}")
"""
FAKE_CDK = f"""#!/bin/sh
while [ "$1" != --output ]; do shift; done
CDK_OUTDIR=$2 exec {sys.executable} -S app.py
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Create a project whose app writes an assembly with one empty stack."""
    root = tmp_path / "project"
    for directory in ("stacks", "lambda_src"):
        (root / directory).mkdir(parents=True)
    for name in ("constraints.txt", "requirements.txt", "package-lock.json"):
        (root / name).touch()
    (root / "cdk.json").write_text(json.dumps({"app": "python app.py"}))
    (root / "app.py").write_text(APP)
    monkeypatch.setattr(paths, "ROOT", root)
    return root


@pytest.fixture
def fake_cdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the CDK's command line by one that only runs the app."""
    command = tmp_path / "cdk"
    command.write_text(FAKE_CDK)
    command.chmod(0o755)
    monkeypatch.setattr(paths, "CDK", command)


@pytest.mark.usefixtures("root")
def test_an_assembly_is_synthesized_once(tmp_path: Path) -> None:
    """The real command line synthesizes an assembly, which is then cached."""
    cache = tmp_path / "cache"
    with CloudAssembly(cache) as first:
        assert not first.ready
        directory = first.directory()
    with CloudAssembly(cache) as second:
        assert second.ready
        assert directory == second.directory()
    assert (directory / "manifest.json").exists()
    assert [directory] == list(cache.iterdir())


@pytest.mark.usefixtures("root", "fake_cdk")
def test_concurrent_processes_synthesize_once(tmp_path: Path) -> None:
    """While another process synthesizes the same assembly, it is waited for and then used."""
    cache = tmp_path / "cache"

    def enter() -> tuple[bool, Path]:
        with CloudAssembly(cache) as assembly:
            return assembly.ready, assembly.directory()

    with cache.with_suffix(".lock").open("w") as lock, ThreadPoolExecutor() as executor:
        fcntl.flock(lock, fcntl.LOCK_EX)
        entered = executor.submit(enter)
        expected = CloudAssembly(cache).directory()
        expected.mkdir(parents=True)
        lock.close()
        assert (True, expected) == entered.result()


@pytest.mark.parametrize(
    ("source", "changes"),
    [
        *((name, True) for name in ("app.py", "lambda_src/a/b.toml")),
        ("stacks/__pycache__/x.pyc", False),
    ],
)
def test_changes_need_a_synthesis(root: Path, tmp_path: Path, source: str, changes: bool) -> None:
    """A change in anything that the assembly is made of, but not bytecode, requires a synthesis."""
    before = CloudAssembly(tmp_path).directory()
    (root / source).parent.mkdir(exist_ok=True)
    (root / source).write_text("changed")
    assert changes == (before != CloudAssembly(tmp_path).directory())


def test_changed_sources_are_shown_once(
    root: Path, screen: RecordedScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running local cloud says that they need a restart, and what is wrong with an assistant."""
    sources, assistants = SourceWatch(default_project()), root / "lambda_src" / "assistants"
    show_source_changes(screen, sources)
    assert "" == screen.text()
    assistants.mkdir()
    (assistants / "own.toml").write_text("model = 1")
    (root / "app.py").unlink()
    monkeypatch.setattr(up, "assistant_definitions", lambda: assistant_definitions(assistants))
    for _ in range(2):
        show_source_changes(screen, sources)
    restart = "press Ctrl-C and run `make local` again to deploy the change"
    first, *problems = screen.text().splitlines()
    assert f"  CHANGED  app.py and 1 more: {restart}" == first
    assert ["model", "instructions"] == [re.findall(r"toml: (\w+):", each)[0] for each in problems]


@pytest.mark.usefixtures("fake_cdk")
def test_an_outdated_assembly_is_not_cached(root: Path, tmp_path: Path) -> None:
    """An assembly whose sources changed during the synthesis is used once, and not cached."""
    with CloudAssembly(tmp_path / "cache") as assembly:
        (root / "stacks" / "late.py").touch()
        assert (assembly.directory() / "manifest.json").exists()
    assert [] == list((tmp_path / "cache").iterdir())


@pytest.mark.usefixtures("fake_cdk")
def test_a_failed_synthesis_reports_its_output(root: Path, tmp_path: Path) -> None:
    """A failed synthesis is one error that ends with its output."""
    (root / "app.py").write_text("raise SystemExit('account: expected twelve digits')")
    with (
        CloudAssembly(tmp_path / "cache") as assembly,
        pytest.raises(LocalCloudError, match="account: expected twelve digits"),
    ):
        assembly.directory()
    assert [] == list((tmp_path / "cache").iterdir())


@pytest.mark.usefixtures("fake_cdk")
def test_metric_math_is_replaced(root: Path, tmp_path: Path) -> None:
    """An alarm over metric math is over a metric of its own, whose values can be computed."""
    stat = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 3600, "Stat": "Sum"}
    queries = [{"Id": "e", "Expression": "a"}, {"Id": "a", "MetricStat": stat}]
    alarm = {"AlarmName": "math", "Metrics": queries}
    template = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}}}
    (root / "app.py").write_text(APP.replace('"{}"', repr(json.dumps(template))))

    with CloudAssembly(tmp_path / "cache") as assembly:
        directory = assembly.directory()
        stored = json.loads((directory / "Stack.template.json").read_text())
        found = list(MathMetric.of_assembly(Mock(), directory, Mock()))

    properties = stored["Resources"]["Alarm"]["Properties"]
    assert ("math", "Stack/Alarm") == (properties["AlarmName"], properties["MetricName"])
    assert "Metrics" not in properties
    assert 1 == len(found)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("IF(u < 5, 0, 100 * u / (u + d))", 75.0),
        ("IF(none < 5, 0, 100)", None),
        ("IF(FILL(none, 0) >= 1 AND u > 1, 1, 0)", 0.0),
        ("IF(FILL(none, 0) >= 1 OR u > 1, 1, 0)", 1.0),
        ("u / (d - 2)", None),
    ],
)
def test_metric_math(expression: str, expected: float | None) -> None:
    """Missing data and a division by 0 have no value; unknown functions are an error."""
    assert expected == evaluate(parse(expression), {"u": 6.0, "d": 2.0, "none": None})
    with pytest.raises(LocalCloudError, match="metric math not supported"):
        evaluate(parse(f"DIFF({expression})"), {"u": 6.0, "d": 2.0, "none": None})


def test_the_port_of_the_embedded_aws_is_reserved(tmp_path: Path) -> None:
    """No fake that is started before it can have the same one."""
    cloud = LocalCloud(FakeVendors(), workdir=tmp_path)
    port = urlsplit(cloud.aws.endpoint).port
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((HOST, port))
    cloud._reserved.close()
