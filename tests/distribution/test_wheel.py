"""The content, names and metadata of the wheel."""

import re
import subprocess
from email.message import Message
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from distribution import ROOT
from hatch_build import EXTRAS, MOVED, renamed_imports
from lambda_src.core.contract import RELEASE

HOME = "ai_multi_comms"


@pytest.fixture(scope="session")
def texts(wheel: Path) -> dict[str, str]:
    """Return the wheel's text files by path."""
    with ZipFile(wheel) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="session")
def metadata(texts: dict[str, str]) -> Message:
    """Return the wheel's metadata."""
    (text,) = (text for name, text in texts.items() if name.endswith(".dist-info/METADATA"))
    Metadata.from_email(text)  # raises for what an index would refuse
    return Parser().parsestr(text)


def test_wheel_has_two_packages(texts: dict[str, str]) -> None:
    """The top level has only the two packages, both typed."""
    top = {name.partition("/")[0] for name in texts}
    assert {HOME, "lambda_src"} == {name for name in top if not name.endswith(".dist-info")}
    assert {f"{HOME}/py.typed", "lambda_src/py.typed"} <= texts.keys()


def test_wheel_is_complete(texts: dict[str, str]) -> None:
    """The wheel has every file of the published packages, data included."""
    sources = {HOME: HOME, "lambda_src": "lambda_src", **{p: f"{HOME}/{p}" for p in MOVED}}
    expected = {
        f"{inside}/{path.relative_to(ROOT / name)}"
        for name, inside in sources.items()
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {f"{HOME}/docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    expected.add(f"{HOME}/README.md")
    built = (".dist-info/", f"{HOME}/docs/api/")
    assert expected == {name for name in texts if not any(part in name for part in built)}
    assert {"lambda_src/requirements.lock", "lambda_src/assistants/first_contact.toml"} <= expected


def test_runtime_is_unchanged(texts: dict[str, str]) -> None:
    """The runtime in the wheel is byte for byte the tested one."""
    ours = {name: text for name, text in texts.items() if name.startswith("lambda_src/")}
    assert ours == {name: (ROOT / name).read_text("utf-8") for name in ours}


def test_imports_name_moved_packages(texts: dict[str, str]) -> None:
    """Each import of a moved package uses its new name."""
    old = re.compile(rf"^\s*(from|import) ({'|'.join(MOVED)})\b", re.MULTILINE)
    assert [] == [name for name, text in texts.items() if old.search(text)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("from stacks.config.names import X\n", f"from {HOME}.stacks.config.names import X\n"),
        ("    from local import paths\n", f"    from {HOME}.local import paths\n"),
        ("from localstack import x\n", "from localstack import x\n"),
        ("text = 'from stacks import x'\n", "text = 'from stacks import x'\n"),
    ],
)
def test_only_imports_are_renamed(source: str, expected: str) -> None:
    """Imports of moved packages change; longer names and texts do not."""
    indented = source.startswith(" ")
    frame = "if True:\n{}" if indented else "{}"
    assert frame.format(expected) == renamed_imports(frame.format(source), "module.py")


def test_plain_import_stops_build() -> None:
    """A plain import cannot be renamed and stops the build."""
    with pytest.raises(ValueError, match=r"module\.py, line 2: write `from … import …` instead"):
        renamed_imports("import os\nimport stacks.config.names\n", "module.py")


def test_metadata(metadata: Message) -> None:
    """The metadata has version, licence and Python; the description is docs/reuse.md."""
    assert (RELEASE, "Apache-2.0", ">=3.11") == (
        metadata["Version"],
        metadata["License-Expression"],
        metadata["Requires-Python"],
    )
    assert "# Using the constructs from another repository" in metadata.get_payload()


def test_minimum_versions_are_tested(metadata: Message) -> None:
    """The minimum versions of the dependencies are those that the tests use."""
    required = map(Requirement, metadata.get_all("Requires-Dist", []))
    own = [requirement for requirement in required if not requirement.marker]
    pinned = _pins("requirements.txt")
    has_pin = {r.name: f">={pinned[r.name]}" in map(str, r.specifier) for r in own}
    assert {"aws-cdk-lib": True, "constructs": True, "uv": True} == has_pin


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_extras_pin_tested_versions(metadata: Message, extra: str) -> None:
    """An extra has the versions of this repository's requirements files."""
    required = map(Requirement, metadata.get_all("Requires-Dist", []))
    found = {r.name: str(r.specifier) for r in required if f'extra == "{extra}"' in str(r.marker)}
    expected = {name: pin for file in EXTRAS[extra] for name, pin in _pins(file).items()}
    assert {name: f"=={pin}" for name, pin in expected.items()} == found


def test_installed_packages_are_imported(python: Path, tmp_path: Path) -> None:
    """In another environment, both packages are imported from there, with all public names."""
    script = (
        "import ai_multi_comms.local_cloud as cloud, lambda_src.core.contract as contract;"
        "print(cloud.__file__, contract.__file__, len(set(cloud.__all__) - set(dir(cloud))))"
    )
    done = subprocess.run(  # noqa: S603 - our own arguments
        [python, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    *files, missing = done.stdout.split()
    assert {True} == {Path(file).is_relative_to(python.parent.parent) for file in files}
    assert "0" == missing


def test_operator_command_is_installed(python: Path, tmp_path: Path) -> None:
    """The installed operator command starts."""
    done = subprocess.run(  # noqa: S603 - our own arguments
        [python.parent / "ai-comms", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "redrive" in done.stdout


def _pins(file: str) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}
