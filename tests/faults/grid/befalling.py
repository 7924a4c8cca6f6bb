"""What each fault does to a call that is held at its boundary, and to its worker."""

from collections.abc import Callable

from tests.faults.grid.faults import ERRORS, Fault
from tests.faults.grid.held import Held
from tests.faults.grid.runner import Runner
from tests.faults.grid.service_errors import error_answer
from tests.faults.grid.services import Services

Meanwhile = Callable[[], None]
"""What happens while a worker is frozen."""


def befall(
    fault: Fault, held: Held, runner: Runner, services: Services, meanwhile: Meanwhile
) -> None:
    """Let a fault happen at a boundary, and the worker go on if it still can.

    Args:
        fault: What goes wrong.
        held: The call at the boundary; the SDK's repetitions of it come here as well.
        runner: Its worker, which may be frozen already.
        services: Who would answer.
        meanwhile: Lets happen what happens while the worker is frozen, where the fault freezes it.
    """
    if fault in ERRORS:
        _fail(fault, held, services)
    elif fault is Fault.KILLED_BEFORE:
        _kill(held, runner)
    elif fault is Fault.KILLED_AFTER:
        held.forward()
        _kill(held, runner)
    elif fault is Fault.TIMEOUT:
        _hang(held, runner)
    elif fault is Fault.ANSWER_LOST or (fault is Fault.ANSWER_LOST_ONCE and not held.is_repeated):
        held.forward()
        held.reset()
    elif fault is Fault.ANSWER_LOST_ONCE or held.is_repeated:
        held.pass_on()
    else:
        _freeze(fault, held, runner, meanwhile)
    runner.thaw()


def _fail(fault: Fault, held: Held, services: Services) -> None:
    if fault is Fault.ERROR_YET_DONE:
        held.forward()
    held.answer(error_answer(held.call, fault, services.vendors))


def _kill(held: Held, runner: Runner) -> None:
    runner.kill()
    held.reset()


def _hang(held: Held, runner: Runner) -> None:
    runner.thaw()
    held.hang()


def _freeze(fault: Fault, held: Held, runner: Runner, meanwhile: Meanwhile) -> None:
    early = held.forward() if fault is Fault.FROZEN_AFTER else None
    runner.freeze()
    meanwhile()
    held.answer(early or held.forward())
