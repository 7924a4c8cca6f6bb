"""The quick part of the grid: every boundary of a first contact, and every fault at least once."""

import pytest

from tests.faults.grid.cells import Cell
from tests.faults.grid.driver import Driver
from tests.faults.grid.faults import Fault

CELLS = (
    "first contact / sqs.ChangeMessageVisibilityBatch#1 / killed before / redelivered",
    "first contact / sqs.ChangeMessageVisibilityBatch#1 / killed after / redelivered",
    "first contact / dynamodb.TransactWriteItems#1 / killed after / redelivered",
    "first contact / dynamodb.TransactWriteItems#1 / answer lost once / concurrent duplicate",
    "first contact / secretsmanager.GetSecretValue#1 / throttled / redelivered",
    "first contact / secretsmanager.GetSecretValue#2 / refused / redelivered",
    "first contact / openai.POST conversations#1 / credentials refused / late duplicate",
    "first contact / openai.POST responses#1 / server error, yet done / redelivered",
    "first contact / sqs.ChangeMessageVisibilityBatch#2 / server error / concurrent duplicate",
    "first contact / dynamodb.UpdateItem#1 / frozen before / concurrent duplicate",
    "first contact / dynamodb.UpdateItem#2 / killed after / redelivered",
    "first contact / dynamodb.UpdateItem#2 / frozen before / redelivered",
    "first contact / dynamodb.UpdateItem#2 / frozen after / redelivered",
    "first contact / dynamodb.UpdateItem#2 / answer lost / alone",
    "first contact / twilio.POST Messages#1 / killed before / concurrent duplicate",
    "first contact / twilio.POST Messages#1 / killed after / late duplicate",
    "first contact / twilio.POST Messages#1 / timeout / concurrent duplicate",
    "first contact / twilio.POST Messages#1 / frozen before / redelivered",
    "first contact / twilio.POST Messages#1 / refused / alone",
    "first contact / dynamodb.UpdateItem#3 / killed before / redelivered",
    "first contact / dynamodb.UpdateItem#3 / throttled / concurrent duplicate",
)


@pytest.mark.parametrize("name", CELLS)
def test_cell_is_as_promised(name: str, grid: Driver) -> None:
    """Whatever fault happens at whatever call: no message is lost, doubled or wrongly recorded."""
    result = grid.play(Cell.parse(name))

    assert result.is_as_promised, "\n".join((*result.story, *result.log, result.outcome))


def test_quick_part_has_every_fault() -> None:
    """No fault is left to the full run alone."""
    assert set(Fault) == {Cell.parse(name).fault for name in CELLS}
