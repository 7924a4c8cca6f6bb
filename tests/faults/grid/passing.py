"""Letting time pass: in steps, so that every beat that falls into it is made."""

import time as real_time
from collections.abc import Sequence

from tests.faults.grid.held import GUARD_SECONDS
from tests.faults.grid.runner import GridError, Runner
from tests.faults.grid.virtual_time import POLL_SECONDS, SharedTime


def let_pass(time: SharedTime, seconds: float, runners: Sequence[Runner]) -> None:
    """Let time pass for everyone.

    Args:
        time: Whose.
        seconds: How much of it.
        runners: The workers; those that are neither dead nor frozen beat meanwhile.

    Raises:
        GridError: A beat does not end.
    """
    until = time.now + seconds
    _finish_beats(time, runners)
    while time.now < until:
        beats = [runner.next_beat for runner in runners if runner.is_running]
        time.advance(min([until, *(beat for beat in beats if beat > time.now)]))
        _finish_beats(time, runners)


def _finish_beats(time: SharedTime, runners: Sequence[Runner]) -> None:
    give_up = real_time.monotonic() + GUARD_SECONDS
    while beating := [r for r in runners if r.is_running and r.is_beating]:
        for sleeper in filter(None, (runner.sleeps_until for runner in beating)):
            time.advance(sleeper)
        real_time.sleep(POLL_SECONDS)
        if real_time.monotonic() > give_up:
            raise GridError(f"the beat of worker {beating[0].number} does not end")
