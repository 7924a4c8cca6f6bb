"""`make send`: one context object through the local cloud, followed to its end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from local import paths
from local.channel import RecordKey
from local.channels import Channels, deployed_channels, meant_by
from local.contexts import EXAMPLE, read_context
from local.credentials import real_credentials
from local.errors import LocalCloudError
from local.journey import Journey, Milestone, Sighting
from local.ministack import AWS_LOG
from local.outage import outage_named
from local.phones import Phones
from local.project import own_project
from local.running import WORKDIR, Running, find_running
from local.screen import Screen
from local.vendors import RealServices, StandIns, Vendors
from local.world import World

PATIENCE_SECONDS = 60
"""How long a message is followed: a retry or two fit in."""

GOOD_ENDS = frozenset({Milestone.SENT, Milestone.SENT_BEFORE})


@dataclass(frozen=True)
class Way:
    """What `send` needs of a running local cloud.

    Attributes:
        channels: where to send to, by the channels' names.
        phones: where the message shows; None for the real services.
    """

    channels: Channels
    phones: Phones | None


def send(path: Path | None, screen: Screen, environment: Mapping[str, str]) -> int:
    """Send a context object through the running local cloud, or through one of its own.

    Args:
        path: the context object's file.
        screen: where the outcome is shown.
        environment: the process environment, which may hold the vendors' credentials.

    Returns:
        The exit code: 0 when the message was sent, else 1.

    Raises:
        LocalCloudError: the context object cannot be read, the credentials are incomplete, or the
            local cloud could not be set up.
    """
    body = read_context(_named(path))
    with _way(chosen_vendors(environment), screen) as way:
        return send_through(way, body, screen)


def send_through(way: Way, body: str, screen: Screen) -> int:
    """Send a context object, follow it to its end and show the outcome.

    Returns:
        The exit code: 0 when the message was sent, else 1.
    """
    end = _follow(Journey.begin(meant_by(body, way.channels), body), screen)
    _show(end, RecordKey.of(body), way.phones, screen)
    return 0 if end.milestone in GOOD_ENDS else 1


def chosen_vendors(environment: Mapping[str, str]) -> Vendors:
    """The real services when the environment holds their credentials, else the stand-ins.

    Raises:
        LocalCloudError: it holds only some of them.
    """
    credentials = real_credentials(environment)
    return RealServices(credentials) if credentials else StandIns()


def _named(path: Path | None) -> Path:
    if path is None:
        example = EXAMPLE.relative_to(paths.ROOT)
        raise LocalCloudError(f"name a context object, such as: make send CONTEXT={example}")
    return path


@contextmanager
def _way(vendors: Vendors, screen: Screen) -> Iterator[Way]:
    running = find_running()
    if running:
        _check_same_vendors(running, vendors)
        screen.say("through the local cloud that runs in another terminal", "dim")
        with outage_named(WORKDIR / AWS_LOG):
            channels = deployed_channels(running.aws, own_project())
            yield Way(channels, Phones(running.phones) if running.phones else None)
    else:
        screen.say("no local cloud runs (`make local` keeps one running): starting one", "dim")
        with World(vendors, workdir=paths.CACHE / "send", step=screen.step) as world:
            yield Way(world.channels, vendors.phones)


def _check_same_vendors(running: Running, vendors: Vendors) -> None:
    wanted, used = isinstance(vendors, RealServices), running.phones is None
    if wanted != used:
        names = {True: "the real services", False: "the stand-ins"}
        raise LocalCloudError(
            f"the running local cloud uses {names[used]}, but this environment asks for"
            f" {names[wanted]}: stop the running one, or change the vendors' credentials here"
        )


def _follow(journey: Journey, screen: Screen) -> Sighting:
    with screen.console.status("sent to the queue …") as status:
        for sighting in journey.sightings(PATIENCE_SECONDS):
            status.update(Text(_progress(sighting)))
    return sighting


def _progress(sighting: Sighting) -> str:
    if sighting.failure:
        return f"{sighting.milestone.value}: {sighting.failure.code} at {sighting.failure.step} …"
    return f"{sighting.milestone.value} …"


def _show(end: Sighting, key: RecordKey | None, phones: Phones | None, screen: Screen) -> None:
    if end.milestone in GOOD_ENDS and phones and key:
        screen.phone(key.primary_channel, phones.messages(key.primary_channel))
    screen.record(end.record)
    screen.verdict(_outcome(end), holds=end.milestone in GOOD_ENDS)
    if end.failure:
        screen.say(end.reason, "dim")


def _outcome(end: Sighting) -> str:
    text = f"the message is {end.milestone.value}"
    if end.failure:
        times = "once" if end.deliveries == 1 else f"{end.deliveries} times"
        text += f": {end.failure.code} at {end.failure.step}, delivered {times}"
    return text
