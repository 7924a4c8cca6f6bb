"""`make send`: send one context object through the local cloud and follow it to the end."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.text import Text

from local import paths
from local.aws import Aws
from local.channel import Channels, channel_for, deployed_channels, record_key
from local.cloud import LocalCloud
from local.contexts import EXAMPLE, read_context, with_new_ids
from local.deployment import default_project
from local.emulator.feed import Feed
from local.emulator.ministack import AWS_LOG, map_connection_errors
from local.errors import LocalCloudError
from local.message_tracker import MessageState, MessageStatus, MessageTracker
from local.screen import Screen
from local.up import WORKDIR, find_running_cloud
from local.vendors import Inbox, RealVendors, RemoteInbox, Vendors, select_vendors

FOLLOW_SECONDS = 60
"""Enough for one or two retries."""
SUCCESSFUL = frozenset({MessageState.SENT, MessageState.ALREADY_SENT})


def send(
    path: Path | None, screen: Screen, environment: Mapping[str, str], *, is_new: bool = False
) -> int:
    """Send a context object through the running local cloud, or through one started for it.

    Args:
        path: the context object's file.
        screen: where the outcome is shown.
        environment: the process environment, which may contain the vendors' credentials.
        is_new: whether the context object gets another conversation id and request id.

    Returns:
        The exit code: 0 if the message was sent, else 1.

    Raises:
        LocalCloudError: the context object cannot be read, or the local cloud could not be started.
    """
    if path is None:
        example = EXAMPLE.relative_to(paths.ROOT)
        raise LocalCloudError(f"name a context object, such as: make send CONTEXT={example}")
    body = with_new_ids(read_context(path)) if is_new else read_context(path)
    with _running_cloud(select_vendors(environment, screen), screen) as (channels, inbox):
        return send_and_follow(body, channels, inbox, screen)


def send_and_follow(body: str, channels: Channels, inbox: Inbox | None, screen: Screen) -> int:
    """Send a context object, follow it to the end and show the outcome.

    Args:
        body: the context object.
        channels: those of the running local cloud.
        inbox: where the message can be seen; None for the real vendors.
        screen: where the outcome is shown.

    Returns:
        The exit code: 0 if the message was sent, else 1.
    """
    channel = channel_for(body, channels)
    key = record_key(body, channel.addressing)
    if key and (record := channel.record(key)):
        screen.say(
            f"its conversation id was used before (status {record.get('conversation_status')}), and"
            " a conversation is sent one first message: `make send CONTEXT=… NEW=1`, or `--new`,"
            " sends it with new ids",
            "yellow",
        )
    tracker = MessageTracker.send(channel, body)
    with screen.output.status("sent to the queue …") as progress:
        for status in tracker.poll(FOLLOW_SECONDS):
            progress.update(Text(_progress(status)))
    _show(status, tracker.key.primary_channel if tracker.key else "", inbox, screen)
    return 0 if status.state in SUCCESSFUL else 1


@contextmanager
def _running_cloud(vendors: Vendors, screen: Screen) -> Iterator[tuple[Channels, Inbox | None]]:
    """Yield the channels and the inbox of a local cloud."""
    if running := find_running_cloud(screen):
        _check_vendors(vendors, uses_fakes=not running.has_real_vendors)
        screen.say("using the local cloud that runs in another terminal", "dim")
        with map_connection_errors(WORKDIR / AWS_LOG):
            aws = Aws(running.endpoint, running.account, running.region)
            ends = Feed(aws).changes().logs  # earlier lines are about other messages
            channels = deployed_channels(aws, default_project(), ends)
            yield channels, Inbox(*map(RemoteInbox, running.inboxes)) if running.inboxes else None
    else:
        screen.say(
            "no local cloud is running (`make local` keeps one running): starting one", "dim"
        )
        with LocalCloud(vendors, workdir=paths.CACHE / "send", step=screen.step) as cloud:
            yield cloud.channels, vendors.inbox


def _check_vendors(vendors: Vendors, *, uses_fakes: bool) -> None:
    """Refuse to send to other vendors than those that the environment selects."""
    if isinstance(vendors, RealVendors) is uses_fakes:
        names = {True: "the fakes", False: "the real services"}
        raise LocalCloudError(
            f"the running local cloud uses {names[uses_fakes]}, but this environment selects"
            f" {names[not uses_fakes]}: stop the running one, or change the credentials here"
        )


def _progress(status: MessageStatus) -> str:
    if status.failure:
        return f"{status.state.value}: {status.failure.code} at {status.failure.step} …"
    return f"{status.state.value} …"


def _show(status: MessageStatus, recipient: str, inbox: Inbox | None, screen: Screen) -> None:
    messages = inbox.messages(recipient) if inbox else []
    if status.state in SUCCESSFUL and messages:
        screen.inbox(recipient, messages)
    screen.record(status.record)
    outcome = f"the message is {status.state.value}"
    if failure := status.failure:
        times = {0: "never", 1: "once"}.get(status.deliveries, f"{status.deliveries} times")
        outcome += f": {failure.code} at {failure.step}, delivered {times}"
    screen.verdict(outcome, holds=status.state in SUCCESSFUL)
    if status.failure:
        screen.say(status.reason, "dim")
