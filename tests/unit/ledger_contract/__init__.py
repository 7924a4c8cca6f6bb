"""What every implementation of the port `Conversations` does, be it a fake or on DynamoDB.

A test class inherits `LedgerContract` and gives four fixtures: `conversations`, an empty table;
`release`, which sets the record at `KEY` to `retry` as an operator's tool does; `erase`, which
marks the recipient of `KEY` as erased at a time; `unavailable`, a table that answers no call.
"""

from tests.unit.ledger_contract.barring import Barring
from tests.unit.ledger_contract.claiming import Claiming
from tests.unit.ledger_contract.ending import Ending
from tests.unit.ledger_contract.outages import Outages
from tests.unit.ledger_contract.probe import CONTEXT

__all__ = ["CONTEXT", "LedgerContract"]


class LedgerContract(Claiming, Ending, Barring, Outages):
    """The ledger's table of conditional writes, row by row."""
