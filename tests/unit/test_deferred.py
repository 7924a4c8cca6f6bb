"""The AI's part is made when the first message needs it, and once."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from lambda_src.core.context import Engine
from lambda_src.core.deferred import DeferredWriter
from lambda_src.core.message import Assignment
from tests.unit.fakes.writer import ANSWER, FakeWriter

KEY = "sk-1"
ASSIGNMENT = Assignment(
    engine=Engine.RESPONSES,
    assistant_id="first_contact",
    definition=None,
    briefing={},
    metadata={},
    timeout=60,
)


def test_nothing_is_made_before_it_is_needed() -> None:
    """Until the first message asks for an answer there is no writer."""
    made: list[FakeWriter] = []

    writer = DeferredWriter(partial(_made, made))

    assert [] == made
    assert ANSWER == writer.write(KEY, ASSIGNMENT)
    assert [ASSIGNMENT] == made[0].billed


def test_messages_share_one_writer() -> None:
    """Messages that come at once are written by one writer, and its clients are shared."""
    made: list[FakeWriter] = []
    writer = DeferredWriter(partial(_made, made))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: writer.write(KEY, ASSIGNMENT), range(10)))

    assert [10] == [len(one.billed) for one in made]


def test_what_could_not_be_made_is_tried_again() -> None:
    """A failure to make it is the failure of one message, not of all that follow."""
    attempts = iter([ImportError("not yet"), None])

    def make() -> FakeWriter:
        if error := next(attempts):
            raise error
        return FakeWriter(KEY)

    writer = DeferredWriter(make)

    with pytest.raises(ImportError):
        writer.write(KEY, ASSIGNMENT)
    assert ANSWER == writer.write(KEY, ASSIGNMENT)


def _made(all_made: list[FakeWriter]) -> FakeWriter:
    all_made.append(FakeWriter(KEY))
    return all_made[-1]
