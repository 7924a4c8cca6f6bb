"""The distribution: content and metadata of the wheel, public API, and use in a repository."""

import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from email.message import Message
from email.parser import Parser
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import griffe
import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from distribution import PUBLIC, ROOT, api
from distribution.api import own_members, public_members
from distribution.build import build, install
from hatch_build import EXTRAS, MOVED, renamed_imports
from lambda_src.core.contract import RELEASE
from stacks.packaging.lambda_package import Target
from tests.infra.packages import real_package

HOME = "ai_multi_comms"
EXAMPLE = ROOT / "examples" / "push-notifications"
REUSE = ROOT / "docs" / "reuse.md"
CODE = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
CONSTRUCTS = [
    (path, member)
    for path, member in public_members()
    if isinstance(member, griffe.Class) and {"Construct", "Stack"} & set(map(str, member.bases))
]
INSTALLED = ("ai_multi_comms.constructs", "ai_multi_comms.local_cloud", "lambda_src.processors")
SUITES = sorted(path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.glob("tests/test_*.py"))
WHERE = """
import importlib, json, sys
modules = [importlib.import_module(name) for name in sys.argv[1:]]
assert all(hasattr(each, name) for each in modules for name in getattr(each, "__all__", ()))
print(json.dumps([each.__file__ for each in modules]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, built from the source distribution."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment in which the wheel is installed."""
    return install(wheel, tmp_path_factory.mktemp("other") / "venv")


@pytest.fixture(scope="module")
def texts(wheel: Path) -> dict[str, str]:
    """Return the wheel's text files by path."""
    with ZipFile(wheel) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(texts: dict[str, str]) -> Message:
    (text,) = (text for name, text in texts.items() if name.endswith(".dist-info/METADATA"))
    Metadata.from_email(text)  # raises for what an index would refuse
    return Parser().parsestr(text)


def test_wheel_is_complete(texts: dict[str, str]) -> None:
    """The wheel has every file of the published packages, data and type markers included.

    At its top level are two packages only.
    """
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
    assert {f"{HOME}/py.typed", "lambda_src/py.typed"} <= expected


def test_runtime_is_unchanged(texts: dict[str, str]) -> None:
    """The runtime in the wheel is byte for byte the tested one."""
    ours = {name: text for name, text in texts.items() if name.startswith("lambda_src/")}
    assert ours == {name: (ROOT / name).read_text("utf-8") for name in ours}


def test_imports_name_moved_packages(texts: dict[str, str]) -> None:
    """Each import of a moved package uses its new name; pages may show this repository's files."""
    old = re.compile(rf"^\s*(from|import) ({'|'.join(MOVED)})\b", re.MULTILINE)
    modules = [name for name in texts if name.endswith(".py")]
    assert [] == [name for name in modules if old.search(texts[name])]


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
    frame = "if True:\n{}" if source.startswith(" ") else "{}"
    assert frame.format(expected) == renamed_imports(frame.format(source), "module.py")


def test_plain_import_stops_build() -> None:
    """A plain import cannot be renamed and stops the build."""
    with pytest.raises(ValueError, match=r"module\.py, line 2: write `from … import …` instead"):
        renamed_imports("import os\nimport stacks.config.names\n", "module.py")


def test_metadata(metadata: Message) -> None:
    """The metadata has version, licence and Python; the description is docs/reuse.md."""
    expected = {"Version": RELEASE, "License-Expression": "Apache-2.0", "Requires-Python": ">=3.11"}
    assert expected == {name: metadata[name] for name in expected}
    assert "# Using the constructs from another repository" in metadata.get_payload()


def test_minimum_versions_are_tested(metadata: Message) -> None:
    """The minimum versions of the dependencies are those that the tests use."""
    required, pinned = metadata.get_all("Requires-Dist", []), _pins("requirements.txt")
    own = [each for each in map(Requirement, required) if not each.marker]
    has_pin = {r.name: f">={pinned[r.name]}" in map(str, r.specifier) for r in own}
    assert {"aws-cdk-lib": True, "constructs": True, "uv": True} == has_pin


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_extras_pin_tested_versions(metadata: Message, extra: str) -> None:
    """An extra has the versions of this repository's requirements files."""
    required = map(Requirement, metadata.get_all("Requires-Dist", []))
    found = {r.name: str(r.specifier) for r in required if f'extra == "{extra}"' in str(r.marker)}
    expected = {name: pin for file in EXTRAS[extra] for name, pin in _pins(file).items()}
    assert {name: f"=={pin}" for name, pin in expected.items()} == found


def test_operator_command_is_installed(python: Path, tmp_path: Path) -> None:
    """The installed operator command starts."""
    command = [str(python.parent / "ai-comms"), "--help"]
    help_text = subprocess.check_output(command, cwd=tmp_path, text=True)  # noqa: S603 - our own
    assert "redrive" in help_text


def _pins(file: str) -> dict[str, str]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / file).read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


def test_api_is_the_recorded_one() -> None:
    """An added, removed or changed name, parameter, type or attribute is detected."""
    changes = api.differences(api.RECORD.read_text("utf-8"), api.surface())
    assert not changes, api.CHANGED.format(changes=changes)


def test_differences_show_both_sides() -> None:
    """A changed parameter is shown before and after."""
    shown = api.differences("a.F(x: int)\nb\n", "a.F(x: str)\nb\n")
    assert "- a.F(x: int)\n+ a.F(x: str)" == shown


def _all_members() -> Iterator[tuple[str, griffe.Object]]:
    for path, member in public_members():
        yield path, member
        for inner in own_members(member):
            yield f"{path}.{inner.name}", inner


def test_public_members_have_docstrings() -> None:
    """Classes and functions have docstrings of their own."""
    needed = [each for each in _all_members() if each[1].is_class or each[1].is_function]
    assert [] == [path for path, member in needed if not member.has_docstring]


@pytest.mark.parametrize(("path", "construct"), CONSTRUCTS, ids=[path for path, _ in CONSTRUCTS])
def test_constructs_document_props_and_attributes(path: str, construct: griffe.Object) -> None:
    """Each prop is documented under `Args` and each attribute under `Attributes`, no others."""
    assert isinstance(construct, griffe.Class), path
    props = [part.name for part in construct.parameters][3:]  # after self, scope and id
    attributes = [part.name for part in own_members(construct) if part.is_attribute]
    assert props == _documented(construct, griffe.DocstringSectionParameters)
    assert sorted(attributes) == sorted(_documented(construct, griffe.DocstringSectionAttributes))


def _documented(member: griffe.Object, kind: type[Any]) -> list[str]:
    sections = member.docstring.parse("google") if member.docstring else []
    return [part.name for each in sections if isinstance(each, kind) for part in each.value]


def test_documented_parameters_exist(caplog: pytest.LogCaptureFixture) -> None:
    """No docstring documents a parameter or an attribute that does not exist."""
    with caplog.at_level(logging.WARNING):
        for _, member in _all_members():
            if member.docstring:
                member.docstring.parse("google")
    assert [] == [record.getMessage() for record in caplog.records]


def test_pages_are_complete(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each public name has a section with props, attributes and grants, without warnings."""
    with caplog.at_level(logging.WARNING):
        api.write_pages(tmp_path)
    assert [] == [record.getMessage() for record in caplog.records]
    texts = {module: (tmp_path / f"{module}.md").read_text("utf-8") for module in PUBLIC}
    for module, _, name in (path.rpartition(".") for path, _ in public_members()):
        assert f"\n## `{name}`\n" in texts[module]
    queue = texts["ai_multi_comms.constructs"].partition("\n## `ChannelQueue`")[2]
    section = queue.partition("\n## ")[0]
    for expected in ("**max_receive_count**", "[**dead_letter_queue**]", "[**grant_send**]"):
        assert expected in section


@pytest.mark.parametrize("page", [REUSE, EXAMPLE / "README.md"], ids=lambda page: page.name)
def test_pages_name_tested_tools(page: Path) -> None:
    """The CDK's command line and the embedded AWS have the versions that the tests use."""
    cdk = json.loads((ROOT / "package.json").read_text())["devDependencies"]["aws-cdk"]
    embedded = re.findall(r"^ministack==\S+", (ROOT / "local/requirements.txt").read_text(), re.M)
    found = re.findall(r"aws-cdk@[\d.]+|ministack==[\d.]+", page.read_text("utf-8"))
    assert {f"aws-cdk@{cdk}", *embedded} == set(found)


def test_example_requires_this_release() -> None:
    """The example's requirements name the version that is built here."""
    texts = [path.read_text("utf-8") for path in sorted(EXAMPLE.glob("requirements*.txt"))]
    versions = [re.findall(r"ai-multi-comms-channels\S*==([\d.]+)", text) for text in texts]
    assert [[RELEASE], [RELEASE]] == versions


def test_code_on_page_uses_public_names() -> None:
    """Each class or function in the page's code is public."""
    public = {path.rpartition(".")[2] for path, _ in public_members()}
    code = "\n".join(text for _, text in CODE.findall(REUSE.read_text("utf-8")))
    called = set(re.findall(r"(?<![\w.])([A-Za-z_]\w*)\(", code))
    own = {
        "batch_handler",
        "events_handler",
        "lambda_handler",
        "test_the_channel_conforms",
        "list",
        "check",
    }
    assert set() == called - public - own
    assert {"ChannelStack", "build_handler", "LocalCloud"} <= called


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the example with the tools that its README names, and this project's builds.

    The names of builds say what they are made of.
    """
    real_package(Target.of_host())  # skips if the function's packages are not available
    copy = tmp_path_factory.mktemp("repository") / "push-notifications"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".*", "__pycache__", "cdk.out"))
    (copy / ".cache" / "local").mkdir(parents=True)
    for shared in (".venv-cloud", "node_modules", ".build", ".cache/local/node"):
        (copy / shared).symlink_to(ROOT / shared)
    return copy


def _run(python: Path, repository: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository; only Node.js comes from this environment."""
    path = [str(python.parent), str(Path(sys.prefix) / "bin"), os.environ["PATH"]]
    env = os.environ | {"PATH": os.pathsep.join(path), "UV_OFFLINE": "1"}
    options: Any = {"cwd": repository, "env": env, "capture_output": True, "timeout": 280}
    done: subprocess.CompletedProcess[str]
    done = subprocess.run([python, *command], text=True, check=False, **options)  # noqa: S603 - own
    return done


def test_example_imports_installed_packages(python: Path, repository: Path) -> None:
    """The app imports constructs and runtime from the wheel, with all public names."""
    done = _run(python, repository, "-c", WHERE, "push_app", *INSTALLED)
    assert not done.returncode, done.stderr
    app, *installed = map(Path, json.loads(done.stdout))
    assert repository == app.parent
    assert [True] * 3 == [file.is_relative_to(python.parent.parent) for file in installed]


@pytest.fixture(scope="module")
def report(python: Path, repository: Path) -> str:
    """Run the example's tests; return the report, with a line for each."""
    options = ("-q", "-rpfEsxX", "-p", "no:cacheprovider")
    done = _run(python, repository, "-m", "pytest", *options)
    return done.stdout + done.stderr


@pytest.mark.parametrize("suite", SUITES)
def test_example_passes_its_tests(report: str, suite: str) -> None:
    """Its tests pass: the sender's, the conformance checks and those of the deployed app."""
    outcomes = {line.split()[0] for line in report.splitlines() if f" {suite}:" in line}
    assert {"PASSED"} == outcomes, report
