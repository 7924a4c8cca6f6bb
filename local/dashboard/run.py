"""`make dashboard`: run the app, measure it, and draw what its dashboard shows of it."""

import math
import time
from pathlib import Path

from local import paths
from local.dashboard.calls import put_calls
from local.dashboard.definition import read_definition
from local.dashboard.gauges import QueueGauges
from local.dashboard.numbers import Numbers
from local.dashboard.picture import draw
from local.dashboard.traffic import COUNT, Message, arrange, messages
from local.errors import LocalCloudError
from local.screen import Screen
from local.vendors import StandIns
from local.waiting import wait_for
from local.world import World

WORKDIR = paths.CACHE / "dashboard"
PERIOD_SECONDS = 5
MEASURE_SECONDS = 0.5
PATIENCE_SECONDS = 240


def run(screen: Screen, picture: Path) -> None:
    """Draw the dashboard into a file.

    Args:
        screen: where progress is shown.
        picture: the file, whose ending says in which format.

    Raises:
        LocalCloudError: the local cloud could not be set up, a message did not come to its end, or
            the dashboard holds what cannot be drawn.
    """
    stand_ins = StandIns()
    with World(stand_ins, workdir=WORKDIR, step=screen.step) as world:
        gauges = QueueGauges(world.aws, world.resources, world.channel)
        with screen.step("wait for the function's first call, which is slow"):
            _warm_up(gauges)
        arrange(world, stand_ins)
        with screen.step(f"send {len(messages())} messages, and follow them to their ends"):
            numbers = _measure(world, gauges)
        name = world.resources.dashboard
        body = world.aws.cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"]
        with screen.step(f"draw {name}"):
            draw(read_definition(body), numbers, picture, caption=_caption(name, numbers))
    screen.say(f"{picture.relative_to(paths.ROOT)} is drawn")


def _warm_up(gauges: QueueGauges) -> None:
    gauges.send(Message(0, COUNT).body())
    wait_for(lambda: not gauges.waiting, PATIENCE_SECONDS)


def _measure(world: World, gauges: QueueGauges) -> Numbers:
    start, due = time.time(), messages()
    while due or gauges.waiting:
        elapsed = time.time() - start
        while due and due[0].at <= elapsed:
            gauges.send(due.pop(0).body())
        gauges.measure()
        if elapsed > PATIENCE_SECONDS:
            raise LocalCloudError(f"{gauges.waiting} messages are still on the queue")
        time.sleep(MEASURE_SECONDS)
    put_calls(world.aws, world.resources.function, world.channel.log())
    first = PERIOD_SECONDS * math.floor(start / PERIOD_SECONDS)
    return Numbers(world.aws, first, time.time() + MEASURE_SECONDS, PERIOD_SECONDS)


def _caption(name: str, numbers: Numbers) -> str:
    return (
        f"{name}, drawn from its deployed definition and the numbers of a run on one machine: "
        f"{len(messages())} messages in {numbers.end - numbers.start:.0f} s, "
        f"a data point every {numbers.period} s. Grey alarms: metric math, which is not evaluated "
        "there."
    )
