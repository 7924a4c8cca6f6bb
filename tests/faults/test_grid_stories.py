"""The quick part of the grid: the calls that only other stories than a clean run make."""

import pytest

from tests.faults.grid.cells import Cell
from tests.faults.grid.driver import Driver
from tests.faults.grid.scenarios import SCENARIOS

CELLS = (
    "free text / twilio.POST Messages#1 / answer lost / redelivered",
    "long work / dynamodb.UpdateItem#4 / killed before / redelivered",
    "threads and runs / openai.POST runs#1 / killed after / redelivered",
    "key renewed / secretsmanager.GetSecretValue#3 / server error / redelivered",
    "credentials renewed / twilio.POST Messages#2 / killed after / redelivered",
    "put down / dynamodb.UpdateItem#1 / answer lost / redelivered",
    "taken up again / dynamodb.TransactWriteItems#2 / answer lost once / concurrent duplicate",
    "taken up again / sqs.GetQueueAttributes#1 / refused / redelivered",
    "answer kept / dynamodb.UpdateItem#6 / killed after / redelivered",
    "answer used / twilio.POST Messages#1 / throttled / redelivered",
    "settled / twilio.GET Messages#1 / server error / redelivered",
    "settled / dynamodb.Query#1 / throttled / concurrent duplicate",
    "settled / dynamodb.UpdateItem#1 / answer lost / redelivered",
    "settled, free text / twilio.GET Messages#1 / killed before / redelivered",
    "list lags / dynamodb.UpdateItem#1 / killed after / redelivered",
    "given up / dynamodb.UpdateItem#1 / killed after / redelivered",
    "given up, yet sent / dynamodb.UpdateItem#1 / killed after / redelivered",
    "refused by Twilio / dynamodb.TransactWriteItems#2 / throttled / redelivered",
    "refused context / dynamodb.TransactWriteItems#1 / killed before / redelivered",
    "opted out / dynamodb.TransactWriteItems#1 / killed after / redelivered",
    "opted out / dynamodb.TransactWriteItems#2 / killed before / redelivered",
    "opted out / dynamodb.TransactWriteItems#2 / answer lost / concurrent duplicate",
    "last delivery / dynamodb.UpdateItem#1 / killed before / redelivered",
    "not recorded / sqs.ChangeMessageVisibilityBatch#4 / killed before / redelivered",
)


@pytest.mark.parametrize("name", CELLS)
def test_cell_is_as_promised(name: str, grid: Driver) -> None:
    """Also where a first fault has happened already, the next one breaks no rule."""
    result = grid.play(Cell.parse(name))

    assert result.is_as_promised, "\n".join((*result.story, *result.log, result.outcome))


def test_quick_part_has_every_story() -> None:
    """No scenario is left to the full run alone, but the one that has tests of its own."""
    told = {Cell.parse(name).scenario for name in CELLS}

    assert set(SCENARIOS) == told | {"first contact"}
