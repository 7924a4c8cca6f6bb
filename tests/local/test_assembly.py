"""The synthesized infrastructure is made by the real command line, and kept until it changes."""

import json
from pathlib import Path

import pytest

from local import paths
from local.assembly import Assembly
from local.errors import LocalCloudError
from local.metric_math import UNEVALUATED

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


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project whose app writes an assembly with one empty stack."""
    root = tmp_path / "project"
    for directory in ("stacks", "lambda_src"):
        (root / directory).mkdir(parents=True)
    for name in ("constraints.txt", "requirements.txt", "package-lock.json"):
        (root / name).touch()
    (root / "cdk.json").write_text(json.dumps({"app": "python app.py"}))
    (root / "app.py").write_text(APP)
    monkeypatch.setattr(paths, "ROOT", root)
    return root


@pytest.mark.usefixtures("root")
def test_an_assembly_is_made_once(tmp_path: Path) -> None:
    """What is synthesized once is there at once the next time."""
    cache = tmp_path / "cache"
    with Assembly(cache) as first:
        assert not first.ready
        made = first.directory()
    with Assembly(cache) as second:
        assert second.ready
        assert made == second.directory()
    assert (made / "manifest.json").exists()
    assert [made] == list(cache.iterdir())


@pytest.mark.parametrize("source", ["app.py", "cdk.json", "stacks/new.py", "lambda_src/a/b.toml"])
def test_another_source_means_another_assembly(root: Path, tmp_path: Path, source: str) -> None:
    """A change in anything that the assembly is made of asks for a synthesis."""
    before = Assembly(tmp_path).directory()
    (root / source).parent.mkdir(exist_ok=True)
    (root / source).write_text("changed")
    assert before != Assembly(tmp_path).directory()


def test_compiled_files_do_not_count(root: Path, tmp_path: Path) -> None:
    """Bytecode beside the sources changes nothing."""
    before = Assembly(tmp_path).directory()
    (root / "stacks" / "__pycache__").mkdir()
    (root / "stacks" / "__pycache__" / "x.pyc").write_bytes(b"0")
    assert before == Assembly(tmp_path).directory()


def test_what_changes_meanwhile_is_not_kept(root: Path, tmp_path: Path) -> None:
    """An assembly whose sources changed while it was made serves once, and is not kept."""
    with Assembly(tmp_path / "cache") as assembly:
        (root / "stacks" / "late.py").touch()
        assert (assembly.directory() / "manifest.json").exists()
    assert [] == list((tmp_path / "cache").iterdir())


def test_a_failed_synthesis_says_why(root: Path, tmp_path: Path) -> None:
    """A synthesis that fails is one error that ends with what it wrote."""
    (root / "app.py").write_text("raise SystemExit('account: expected twelve digits')")
    with (
        Assembly(tmp_path / "cache") as assembly,
        pytest.raises(LocalCloudError, match="account: expected twelve digits"),
    ):
        assembly.directory()
    assert [] == list((tmp_path / "cache").iterdir())


def test_metric_math_is_set_aside(root: Path, tmp_path: Path) -> None:
    """An alarm over metric math stays in the assembly, over a metric without data."""
    alarm = {"AlarmName": "silence", "Metrics": [{"Id": "m", "Expression": "1"}]}
    template = {"Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}}}
    (root / "app.py").write_text(APP.replace('"{}"', repr(json.dumps(template))))

    with Assembly(tmp_path / "cache") as assembly:
        made = json.loads((assembly.directory() / "Stack.template.json").read_text())

    assert {"AlarmName": "silence", **UNEVALUATED} == made["Resources"]["Alarm"]["Properties"]
