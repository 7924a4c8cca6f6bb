"""The public API is recorded, documented, and used by the pages for other repositories."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import griffe
import pytest

from distribution import PUBLIC, ROOT
from distribution.api import (
    CHANGED,
    RECORD,
    differences,
    own_members,
    public_members,
    surface,
    write_pages,
)
from lambda_src.core.contract import RELEASE

EXAMPLE = ROOT / "examples" / "push-notifications"
REUSE = ROOT / "docs" / "reuse.md"
CODE = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
CONSTRUCTS = [
    (path, member)
    for path, member in public_members()
    if isinstance(member, griffe.Class) and {"Construct", "Stack"} & set(map(str, member.bases))
]


def test_api_is_the_recorded_one() -> None:
    """An added, removed or changed name, parameter, type or attribute is detected."""
    changes = differences(RECORD.read_text("utf-8"), surface())
    assert not changes, CHANGED.format(changes=changes)


def test_differences_show_both_sides() -> None:
    """A changed parameter is shown before and after."""
    assert "- a.F(x: int)\n+ a.F(x: str)" == differences("a.F(x: int)\nb\n", "a.F(x: str)\nb\n")


def _all_members() -> Iterator[tuple[str, griffe.Object]]:
    for path, member in public_members():
        yield path, member
        for inner in own_members(member):
            yield f"{path}.{inner.name}", inner


def test_public_members_have_docstrings() -> None:
    """Classes and functions have docstrings of their own."""
    assert [] == [
        path
        for path, member in _all_members()
        if (member.is_class or member.is_function) and not member.has_docstring
    ]


@pytest.mark.parametrize(("path", "construct"), CONSTRUCTS, ids=[path for path, _ in CONSTRUCTS])
def test_constructs_document_props_and_attributes(path: str, construct: griffe.Object) -> None:
    """Each prop is documented under `Args` and each attribute under `Attributes`, no others."""
    assert isinstance(construct, griffe.Class), path
    props = [part.name for part in construct.parameters][3:]  # after self, scope and id
    attributes = [part.name for part in own_members(construct) if part.is_attribute]
    assert props == _documented(construct, griffe.DocstringSectionParameters)
    assert sorted(attributes) == sorted(_documented(construct, griffe.DocstringSectionAttributes))


def _documented(
    member: griffe.Object,
    kind: type[griffe.DocstringSectionParameters | griffe.DocstringSectionAttributes],
) -> list[str]:
    sections = member.docstring.parse("google") if member.docstring else []
    return [
        part.name for section in sections if isinstance(section, kind) for part in section.value
    ]


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
        write_pages(tmp_path)
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
    own = {"batch_handler", "lambda_handler", "test_the_channel_conforms", "list", "check"}
    assert set() == called - public - own
    assert {"ChannelStack", "build_handler", "LocalCloud"} <= called
