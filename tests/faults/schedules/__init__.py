"""Random schedules of the real core over fakes, judged after every piece of work.

`run` makes and plays them, `replay` plays those of one seed again, `Played` plays a given one.
"""

from tests.faults.schedules.playing import Played
from tests.faults.schedules.result import SchedulesResult, Violation
from tests.faults.schedules.run import replay, run
from tests.faults.schedules.steps import read, written

__all__ = ["Played", "SchedulesResult", "Violation", "read", "replay", "run", "written"]
