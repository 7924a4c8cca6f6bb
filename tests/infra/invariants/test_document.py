"""The document says what the code does."""

import stacks.invariants
from stacks.invariants import catalogue as subjects
from stacks.invariants.catalogue import CATALOGUE
from stacks.invariants.invariant import Invariant
from tests.infra.invariants.document import DOCUMENT, before_the_catalogue, catalogue


def test_document_shows_the_catalogue() -> None:
    """Every invariant stands in the document as it is; rewrite it with the program of that name."""
    assert before_the_catalogue() + catalogue() == DOCUMENT.read_text()


def test_catalogue_is_complete() -> None:
    """Every invariant that is written is checked, once, by a name of its own."""
    written = [
        each
        for subject in vars(subjects).values()
        if getattr(subject, "__package__", "") == stacks.invariants.__name__
        for each in vars(subject).values()
        if isinstance(each, Invariant)
    ]

    assert sorted(each.name for each in written) == sorted(each.name for each in CATALOGUE)
    assert len(CATALOGUE) == len({each.name for each in CATALOGUE})
