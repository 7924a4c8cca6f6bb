"""What others build on does not change by accident, and says what it promises."""

import logging
from collections.abc import Iterator

import griffe
import pytest

from distribution.public import own_members, public_members
from distribution.surface import CHANGED, RECORD, differences, surface

CONSTRUCTS = [
    (path, member)
    for path, member in public_members()
    if isinstance(member, griffe.Class) and {"Construct", "Stack"} & set(map(str, member.bases))
]


def test_the_surface_is_the_recorded_one() -> None:
    """A name, parameter, type or attribute that is new, gone or different is noticed."""
    changes = differences(RECORD.read_text("utf-8"), surface())
    assert not changes, CHANGED.format(changes=changes)


def test_differences_tell_both_sides() -> None:
    """A parameter that changes is shown as it was and as it is."""
    assert "- a.F(x: int)\n+ a.F(x: str)" == differences("a.F(x: int)\nb\n", "a.F(x: str)\nb\n")


def _everything() -> Iterator[tuple[str, griffe.Object]]:
    for path, member in public_members():
        yield path, member
        for inner in own_members(member):
            yield f"{path}.{inner.name}", inner


def test_everything_public_is_documented() -> None:
    """Classes and functions have docstrings of their own."""
    assert [] == [
        path
        for path, member in _everything()
        if (member.is_class or member.is_function) and not member.has_docstring
    ]


@pytest.mark.parametrize(("path", "construct"), CONSTRUCTS, ids=[path for path, _ in CONSTRUCTS])
def test_a_construct_explains_what_it_takes_and_gives_out(
    path: str, construct: griffe.Object
) -> None:
    """Each prop stands under `Args`, each attribute under `Attributes`, and nothing else does."""
    assert isinstance(construct, griffe.Class), path
    props = [part.name for part in construct.parameters][3:]  # after self, scope and id
    attributes = [part.name for part in own_members(construct) if part.is_attribute]
    assert props == _documented(construct, griffe.DocstringSectionParameters)
    assert sorted(attributes) == sorted(_documented(construct, griffe.DocstringSectionAttributes))


def test_documented_parameters_exist(caplog: pytest.LogCaptureFixture) -> None:
    """No docstring explains a parameter or an attribute that is not there."""
    with caplog.at_level(logging.WARNING):
        for _, member in _everything():
            if member.docstring:
                member.docstring.parse("google")
    assert [] == [record.getMessage() for record in caplog.records]


def _documented(
    member: griffe.Object,
    kind: type[griffe.DocstringSectionParameters | griffe.DocstringSectionAttributes],
) -> list[str]:
    sections = member.docstring.parse("google") if member.docstring else []
    return [
        part.name for section in sections if isinstance(section, kind) for part in section.value
    ]
