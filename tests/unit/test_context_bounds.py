"""However much a body holds, what is told of it stays small."""

import json
import tracemalloc
from typing import Any

import pytest

from lambda_src.core.rejection import Problem, RejectedContext
from tests.unit.contexts import changed, complete, parse, parser
from tests.unit.test_context_structure import problems, rejection

ALLOWED = "company_data_payload.allowed_channels"
VARIABLES = "company_data_payload.ai_config.openai_config.whatsapp.assistant.variables"
REQUEST = "frontend_payload.request_data.request_id"
CONVERSATION = "conversation_data.conversation_id"
IDS = [
    REQUEST,
    "frontend_payload.company_data.company_id",
    "frontend_payload.company_data.project_id",
    "company_data_payload.company_id",
    "company_data_payload.project_id",
]
A_FEW_KB = 4_000


def problem(number: int) -> Problem:
    """A problem like others."""
    return Problem("context_invalid", f"field_{number}", "a string", "a number")


@pytest.mark.parametrize(
    ("count", "end"), [(20, "field_19"), (21, "and 1 more"), (99, "and 79 more")]
)
def test_an_error_lists_twenty_problems(count: int, end: str) -> None:
    """The first twenty are told, and how many more there are; the error still holds them all."""
    error = RejectedContext("context_invalid", [problem(number) for number in range(count)])
    assert end in error.detail.rpartition("; ")[2]
    assert min(count, 20) == error.detail.count("expected a string, found a number")
    assert count == len(error.problems)


def unnamed(count: int) -> dict[str, Any]:
    """Variables that lack their descriptions, with names as long as names may be."""
    return {f"{number:x>64}": {} for number in range(count)}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (ALLOWED, [1] * 50_000),
        (VARIABLES, unnamed(100)),
        (VARIABLES, unnamed(5_000)),
        (CONVERSATION, "c" * 500_000),
        (REQUEST, "r" * 500_000),
        ("company_data_payload.project_status", "p" * 500_000),
        ("company_data_payload.channel_config.whatsapp.whatsapp_credentials_id", "s" * 500_000),
    ],
)
def test_an_error_is_a_few_kilobytes(path: str, value: object) -> None:
    """Neither many problems nor long values make a long line in the log or in the record."""
    error = rejection(changed(path, value, complete()))
    assert len(str(error)) < A_FEW_KB
    assert len(error.detail) < A_FEW_KB


@pytest.mark.parametrize(("path", "value"), [(ALLOWED, [1] * 100_000), (VARIABLES, unnamed(5_000))])
def test_problems_do_not_fill_the_memory(path: str, value: object) -> None:
    """A body full of problems costs a few times its size: the batch's other messages live on."""
    body = json.dumps(changed(path, value, complete()))
    tracemalloc.start()
    try:
        with pytest.raises(RejectedContext):
            parser(body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 50 * len(body)


@pytest.mark.parametrize("path", IDS)
def test_ids_that_are_logged_are_short(path: str) -> None:
    """An id has 256 bytes at most, whatever its letters."""
    assert parse(changed(path, "é" * 128))
    error = rejection(changed(path, "é" * 128 + "x"))
    assert [f"{path}: expected a string of at most 256 bytes, found a string"] == [
        str(problem) for problem in error.problems
    ]


def test_a_conversation_id_fits_its_key() -> None:
    """A sort key of DynamoDB has 1,024 bytes at most, whatever its letters."""
    assert "é" * 512 == parse(changed(CONVERSATION, "é" * 512)).key.conversation_id
    assert {CONVERSATION: "a string"} == problems(changed(CONVERSATION, "é" * 513))


@pytest.mark.parametrize(("length", "expected"), [(256, "r" * 256), (257, None), (500_000, None)])
def test_a_refused_bodys_request_id_is_told_where_it_fits(
    length: int, expected: str | None
) -> None:
    """What would be no valid id gets into no log line and no record."""
    document = changed("metadata", 7, changed(REQUEST, "r" * length))
    assert expected == rejection(document).request_id
