"""The views of the web console: what each shows, read when it is rendered."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from lambda_src.core import RecordKey, Status
from local import paths
from local.console import faults, send
from local.console.journal import Conversation, Step
from local.fakes import InboxMessage
from ops.channel_status import read_status
from ops.commands import approvals, dlq, unknown
from ops.console import to_json

if TYPE_CHECKING:
    from local.console.operator import Outcome, Parts

MAX_PHONES = 24
"""Recipients whose inboxes are shown, those with the latest messages."""
MAX_MESSAGES = 300
"""Messages of each vendor that the inboxes are made of, the latest."""
MAX_ROWS = 60
"""Conversations in the list."""
STATUS_HOURS = 1
RUNBOOK = paths.ROOT / "docs" / "runbook.md"

TICKS: Mapping[str, tuple[str, str]] = {
    "": ("⋯", "not recorded yet"),
    "queued": ("✓", "accepted by the vendor"),
    "sent": ("✓", "sent"),
    "delivered": ("✓✓", "delivered"),
    "read": ("✓✓", "read"),
    "undelivered": ("✗", "not delivered"),
    "failed": ("✗", "failed"),
}
"""The mark of a delivery status, and its meaning."""
STATUS_WORDS: Mapping[str, str] = {
    Status.PROCESSING: "processing",
    Status.SENDING: "sending",
    Status.RETRY: "retry",
    Status.SENT: "sent",
    Status.SEND_UNKNOWN: "outcome unknown",
    Status.AWAITING_APPROVAL: "awaiting approval",
    Status.FAILED: "failed",
}
STYLES: Mapping[str, str] = {
    Status.SENT: "success",
    Status.RETRY: "warning",
    Status.AWAITING_APPROVAL: "warning",
    Status.FAILED: "error",
    Status.SEND_UNKNOWN: "error",
}


def register(views: Blueprint, parts: "Parts") -> None:
    """Add a page for each view."""

    @views.get("/")
    def home() -> ResponseReturnValue:
        return _page(parts, "inboxes")

    @views.get("/<view>")
    def page(view: str) -> ResponseReturnValue:
        if view not in VIEWS:
            abort(404)
        return _page(parts, view)


def _page(parts: "Parts", view: str) -> str:
    arguments = request.args.to_dict()
    return render_template(
        "page.html",
        title=VIEWS[view].title,
        live=f"/live/{view}?{urlencode(arguments)}",
        is_live=VIEWS[view].is_live,
        status=render_region(parts, "status", view, arguments),
        content=render_region(parts, "view", view, arguments),
    )


def render_region(parts: "Parts", region: str, view: str, arguments: Mapping[str, str]) -> str:
    """Return the HTML of a part of a page.

    Args:
        parts: what the page works with.
        region: `status`: the counts in the head of each page; `view`: the view's own content.
        view: a name of `VIEWS`.
        arguments: those of the page's address.
    """
    if region == "status":
        current = VIEWS[view].parent or view
        return render_template("status.html", menu=MENU, current=current, **_status(parts))
    shown = VIEWS[view]
    return render_template(f"{view}.html", arguments=arguments, **shown.read(parts, arguments))


def _status(parts: "Parts") -> dict[str, Any]:
    counts, cloud = parts.journal.counts(), parts.cloud
    changes = cloud.feed.changes()
    letters = sum(
        changes.queue_depth(channel.resources.dead_letter_queue_url)
        for channel in cloud.channels.values()
    )
    alarms = cloud.aws.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
    return {
        "counts": {
            "conversations": sum(counts.values()),
            "approvals": counts[Status.AWAITING_APPROVAL],
            "unknown": counts[Status.SEND_UNKNOWN],
            "dead-letters": letters,
            "system": len(alarms),
        }
    }


@dataclass(frozen=True)
class Message:
    """A message in an inbox, with what its record knows of its delivery."""

    shown: InboxMessage
    conversation: Conversation | None

    @property
    def delivery(self) -> str:
        """What the vendor reported of it, as the record has it."""
        return self.conversation.delivery if self.conversation else ""

    @property
    def tick(self) -> str:
        """The mark of the delivery status."""
        return TICKS.get(self.delivery, TICKS[""])[0]

    @property
    def meaning(self) -> str:
        """The meaning of the mark."""
        code = self.conversation.delivery_code if self.conversation else ""
        words = TICKS.get(self.delivery, TICKS[""])[1]
        return f"{words}: error {code}" if code else words


def _inboxes(parts: "Parts", _: Mapping[str, str]) -> dict[str, Any]:
    found: defaultdict[tuple[str, str], list[Message]] = defaultdict(list)
    accepted = [each for fake in parts.cloud.fakes.values() for each in fake.accepted(MAX_MESSAGES)]
    for shown in sorted(accepted, key=lambda each: -each.at):
        message = Message(shown, parts.journal.of_vendor_id(shown.sid))
        found[shown.recipient, shown.application].append(message)
    latest = list(found.items())[:MAX_PHONES]
    return {"phones": [(*phone, messages[::-1]) for phone, messages in latest]}


def _conversations(parts: "Parts", arguments: Mapping[str, str]) -> dict[str, Any]:
    status, text = arguments.get("status", ""), arguments.get("text", "")
    return {
        "rows": parts.journal.latest(MAX_ROWS, status=status, text=text),
        "counts": parts.journal.counts(),
        "statuses": STATUS_WORDS,
        "limit": MAX_ROWS,
    }


def _conversation(parts: "Parts", arguments: Mapping[str, str]) -> dict[str, Any]:
    key = RecordKey(arguments.get("recipient", ""), arguments.get("conversation", ""))
    known = parts.journal.find(key)
    channels = parts.cloud.channels
    channel = channels.get(known.channel if known else "", parts.cloud.channel)
    lines = parts.logs.lines_of(key.conversation_id)
    return {
        "key": key,
        "known": known,
        "steps": _steps(known, lines),
        "record": channel.record(key),
        "lines": lines,
    }


def _steps(known: Conversation | None, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps and the log lines of a conversation in the order of time."""
    steps = [_row(step) for step in known.steps] if known else []
    steps += [_log_row(fields) for fields in lines]
    steps.sort(key=lambda each: each["at"])
    first = steps[0]["at"] if steps else 0.0
    return [{**each, "after": each["at"] - first} for each in steps]


def _row(step: Step) -> dict[str, Any]:
    return {
        "at": step.at,
        "seconds": step.seconds,
        "where": faults.TITLES.get(step.where, step.where),
        "what": step.what,
        "problem": step.problem,
        "style": "error" if step.problem else "success",
    }


def _log_row(fields: Mapping[str, Any]) -> dict[str, Any]:
    styles = {"WARNING": "warning", "ERROR": "error", "CRITICAL": "error"}
    return {
        "at": datetime.fromisoformat(fields["timestamp"]).timestamp(),
        "seconds": None,
        "where": f"log, {fields['level']}",
        "what": fields["event"],
        "problem": "" if fields["level"] == "INFO" else fields["message"],
        "style": styles.get(fields["level"], "info"),
    }


def _system(parts: "Parts", _: Mapping[str, str]) -> dict[str, Any]:
    aws, now = parts.cloud.aws, datetime.now(UTC).timestamp()
    deployments = parts.operator.deployments
    statuses = {name: read_status(each, STATUS_HOURS, now) for name, each in deployments.items()}
    alarms = [
        alarm
        for page in aws.cloudwatch.get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
    ]
    alarms.sort(key=lambda alarm: (alarm["StateValue"] != "ALARM", alarm["AlarmName"]))
    handoff_url = next(iter(deployments.values())).settings.handoff_queue_url
    return {
        "statuses": statuses,
        "alarms": alarms,
        "hours": STATUS_HOURS,
        "handoff": parts.cloud.feed.changes().queue_depth(handoff_url),
    }


def _approvals(parts: "Parts", _: Mapping[str, str]) -> dict[str, Any]:
    return {"rows": parts.journal.latest(MAX_ROWS, status=Status.AWAITING_APPROVAL)}


def _approval(parts: "Parts", arguments: Mapping[str, str]) -> dict[str, Any]:
    channel, key = arguments.get("channel", ""), arguments.get("conversation", "")
    options = {
        "conversation": key,
        "recipient": arguments.get("recipient", ""),
        "show_personal_data": True,
    }
    outcome = parts.operator.run(approvals.show, channel, options)
    return {"outcome": outcome, "draft": outcome.document, "channel": channel}


def _dead_letters(parts: "Parts", _: Mapping[str, str]) -> dict[str, Any]:
    return {"outcomes": _per_channel(parts, dlq.show_list, {"each": True})}


def _unknown(parts: "Parts", _: Mapping[str, str]) -> dict[str, Any]:
    return {"outcomes": _per_channel(parts, unknown.show_list, {"show_personal_data": True})}


def _per_channel(
    parts: "Parts", command: Callable[..., None], options: Mapping[str, Any]
) -> dict[str, "Outcome"]:
    """Run a command for each channel at the same time: some wait for messages."""

    def run(name: str) -> tuple[str, "Outcome"]:
        return name, parts.operator.run(command, name, options)

    names = parts.cloud.channels
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(pool.map(run, names))


def _runbook(_: "Parts", arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the runbook's section about an alarm, whose heading is the alarm's subject."""
    wanted = arguments.get("section", "").casefold()
    sections = re.split(r"^(?=#{2,4} )", RUNBOOK.read_text("utf-8"), flags=re.MULTILINE)
    found = (each for each in sections if each.splitlines()[:1] and _slug(each) == wanted)
    return {"text": next(found, ""), "path": RUNBOOK.relative_to(paths.ROOT)}


def _slug(section: str) -> str:
    """Return the anchor of a section's heading."""
    heading = section.splitlines()[0].lstrip("# ").casefold()
    return re.sub(r"[^\w -]", "", heading).replace(" ", "-")


@dataclass(frozen=True)
class View:
    """A view of the console.

    Attributes:
        title: its heading.
        read: returns what its template needs.
        is_live: whether it is rendered again while it is open.
        parent: the entry of the menu that it belongs to, if it is not one itself.
    """

    title: str
    read: Callable[["Parts", Mapping[str, str]], dict[str, Any]]
    is_live: bool = True
    parent: str = ""


VIEWS: Mapping[str, View] = {
    "inboxes": View("Inboxes", _inboxes),
    "conversations": View("Conversations", _conversations),
    "conversation": View("Conversation", _conversation, parent="conversations"),
    "send": View("Send", send.read, is_live=False),
    "faults": View("Faults", faults.read, is_live=False),
    "approvals": View("Approvals", _approvals),
    "approval": View("Draft", _approval, is_live=False, parent="approvals"),
    "unknown": View("Unknown sends", _unknown, is_live=False),
    "dead-letters": View("Dead letters", _dead_letters, is_live=False),
    "system": View("System", _system),
    "runbook": View("Runbook", _runbook, is_live=False, parent="system"),
}
"""The views by their names in the page's address."""
MENU = [(name, view.title) for name, view in VIEWS.items() if not view.parent]


def clock_time(value: object) -> str:
    """Return a time of the day on this machine's clock, from epoch seconds or ISO 8601."""
    if isinstance(value, int | float | Decimal):
        at = datetime.fromtimestamp(float(value), UTC)
    else:
        at = datetime.fromisoformat(str(value))
    return at.astimezone().strftime("%H:%M:%S")


def runbook_link(description: str) -> Markup:
    """Return an alarm's description as HTML, with a link to its section of the runbook."""
    text, _, address = description.rpartition("Runbook: ")
    url = url_for("console.page", view="runbook", section=address.partition("#")[2])
    return Markup('{} <a class="link" href="{}">runbook</a>').format(text, url)


def json_text(value: object) -> str:
    """Return a value of a record or a log line as JSON, one field a line."""
    return json.dumps(value, default=to_json, ensure_ascii=False, indent=2)


def seconds_text(value: float | None) -> str:
    """Return a duration: `12 ms`, `3.4 s`."""
    if value is None:
        return ""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


FILTERS: Mapping[str, Callable[..., object]] = {
    "clock_time": clock_time,
    "json_text": json_text,
    "runbook_link": runbook_link,
    "seconds_text": seconds_text,
    "status_words": lambda status: STATUS_WORDS.get(status, status or "…"),
    "style": lambda status: STYLES.get(status, "info"),
}
