"""What can go wrong with one outside call, and with whom besides."""

from enum import StrEnum

from tests.faults.grid.calls import CallName


class Fault(StrEnum):
    """What goes wrong at a boundary."""

    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"
    SERVER_ERROR = "server error"
    ERROR_YET_DONE = "server error, yet done"
    REFUSED = "refused"
    CREDENTIALS = "credentials refused"
    THROTTLED = "throttled"
    TIMEOUT = "timeout"
    ANSWER_LOST = "answer lost"
    ANSWER_LOST_ONCE = "answer lost once"
    FROZEN_BEFORE = "frozen before"
    FROZEN_AFTER = "frozen after"


class Company(StrEnum):
    """How the message is delivered besides."""

    ALONE = "alone"
    REDELIVERED = "redelivered"
    CONCURRENT = "concurrent duplicate"
    LATE = "late duplicate"


KILLS = frozenset({Fault.KILLED_BEFORE, Fault.KILLED_AFTER})
FREEZES = frozenset({Fault.FROZEN_BEFORE, Fault.FROZEN_AFTER})
ERRORS = frozenset(
    {
        Fault.SERVER_ERROR,
        Fault.ERROR_YET_DONE,
        Fault.REFUSED,
        Fault.CREDENTIALS,
        Fault.THROTTLED,
    }
)
"""Those that the service answers with."""

_OFVENDORS = frozenset({Fault.ERROR_YET_DONE, Fault.CREDENTIALS})
_OF_AWS = frozenset({Fault.ANSWER_LOST_ONCE})
"""AWS's SDK repeats a call whose answer was lost; the vendors' are told not to."""
_OF_EFFECTS = frozenset(
    {
        Fault.KILLED_AFTER,
        Fault.ERROR_YET_DONE,
        Fault.ANSWER_LOST_ONCE,
        Fault.FROZEN_AFTER,
    }
)
"""Where nothing takes effect, these are the same as others."""
VENDORS = frozenset({"openai", "twilio"})


def can_befall(fault: Fault, call: CallName) -> bool:
    """Whether a fault can befall a call, and is not the same there as another one."""
    if fault in _OF_EFFECTS and call.is_read:
        return False
    if call.service in VENDORS:
        return fault not in _OF_AWS
    return fault not in _OFVENDORS
