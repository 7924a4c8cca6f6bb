"""What an operator does on the page: the commands of `ops`, with their questions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from ops.commands import approvals, dlq, unknown

if TYPE_CHECKING:
    from local.console.operator import Parts

VARIABLE = "variable:"
"""Prefix of the form's fields with a template's variables."""


@dataclass(frozen=True)
class Action:
    """A command that the page can run.

    Attributes:
        title: what it does, for the heading of its outcome.
        command: the function.
        texts: its options that are texts.
        lists: its options that are lists.
        flags: its options that are switches.
        fixed: further options with their values.
    """

    title: str
    command: Callable[..., None]
    texts: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    fixed: Mapping[str, Any] = field(default_factory=dict)

    def options(self, form: MultiDict[str, str]) -> dict[str, Any]:
        """Return the command's options that a form has.

        A line break has one character on all systems, as in a text that the AI writes.
        """
        given: dict[str, Any] = {
            name: form[name].replace("\r\n", "\n") for name in self.texts if name in form
        }
        given |= {name: form.getlist(name) for name in self.lists if name in form}
        given |= {name: True for name in self.flags if form.get(name)}
        variables = [name for name in form if name.startswith(VARIABLE)]
        if variables:
            given["variable"] = [
                f"{name.removeprefix(VARIABLE)}={form[name]}" for name in variables
            ]
        return {**given, **self.fixed, "yes": bool(form.get("yes"))}


_DECISION = frozenset({"conversation", "recipient", "draft", "reason"})
_SHOWN = {"show_personal_data": True}
_SELECTION = frozenset({"cause", "conversation", "message"})
ACTIONS: Mapping[str, Action] = {
    "approve": Action("Approve a draft", approvals.approve, _DECISION, fixed=_SHOWN),
    "edit": Action(
        "Send an edited text",
        approvals.edit,
        _DECISION | {"text"},
        flags=frozenset({"accept_problems"}),
        fixed=_SHOWN,
    ),
    "reject": Action("Reject a draft", approvals.reject, _DECISION, fixed=_SHOWN),
    "redrive": Action("Redrive", dlq.redrive, frozenset({"reason"}), _SELECTION | {"fixed_cause"}),
    "drop": Action("Discard", dlq.drop, frozenset({"reason"}), _SELECTION),
    "resolve": Action(
        "Decide about a send",
        unknown.resolve,
        frozenset({"conversation", "recipient", "sent", "reason"}),
        flags=frozenset({"not_sent"}),
        fixed=_SHOWN,
    ),
    "resolve-listed": Action(
        "Record listed sends", unknown.resolve_listed, frozenset({"reason"}), fixed=_SHOWN
    ),
}
"""The actions by their names in the page's address."""


def register(views: Blueprint, parts: "Parts") -> None:
    """Add the route that runs a command, or asks what the command asks."""

    @views.post("/operate/<name>")
    def operate(name: str) -> ResponseReturnValue:
        channel = request.form.get("channel", "")
        if name not in ACTIONS or channel not in parts.cloud.channels:
            abort(404)
        action = ACTIONS[name]
        outcome = parts.operator.run(action.command, channel, action.options(request.form))
        parts.journal.touch()
        form = [each for each in request.form.items(multi=True) if each[0] != "yes"]
        return render_template("outcome.html", title=action.title, outcome=outcome, form=form)
