"""Channels of another repository: found by the stacks' prefix, with parts of their own."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from ops import deployment
from ops.console import Console
from ops.session import Session
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import API_KEY

EXAMPLE = Path(__file__).parents[2] / "examples" / "push-notifications"
PACKAGE = "push_processor"
PARTS = f"{PACKAGE}.parts:PARTS"
DEVICE = "00" * 31 + "a1"
TARGET = ("--project", "acme-alerts", "--channel", "push")
Declare = Callable[[str], None]


@pytest.fixture
def push(operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorChannel]:
    """Return the operator of another app's channel beside this one, in that app's repository."""
    variables = {
        "CHANNEL": "push",
        "CONVERSATIONS_TABLE": operator.channel.table,
        "QUEUE_URL": operator.channel.queue_url,
        "SECRET_PREFIXES": "acme-alerts/dev/openai-api-key/push,acme-alerts/dev/push-credentials/",
    }
    queues = {"DeadLetterQueueUrl": operator.dead_letter_queue_url}
    handler = f"{PACKAGE}.index.lambda_handler"
    operator.deployments.add(variables, queues, "acme-alerts-push-dev", handler)
    monkeypatch.setattr(deployment, "entry_points", entry_points)
    monkeypatch.chdir(EXAMPLE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield operator
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declare:
    """Return what installs a package that declares the parts of the channel `push`."""

    def install(parts: str) -> None:
        site = tmp_path / str(len(list(tmp_path.iterdir())))
        metadata = site / f"acme_{site.name}-1.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Name: acme-{site.name}\nVersion: 1\n")
        group = f"[ai_multi_comms.channels]\npush = {parts}\n"
        (metadata / "entry_points.txt").write_text(group)
        monkeypatch.syspath_prepend(site)
        monkeypatch.syspath_prepend(EXAMPLE)  # installed beside its metadata

    return install


@pytest.mark.parametrize("is_declared", [True, False], ids=["entry point", "import path"])
def test_commands_apply_the_rules_of_the_channels_own_parts(
    push: OperatorChannel, declare: Declare, monkeypatch: pytest.MonkeyPatch, *, is_declared: bool
) -> None:
    """Wherever they are found, addresses and context objects are those of the channel."""
    target = TARGET if is_declared else (*TARGET, "--parts", PARTS)
    if is_declared:
        declare(PARTS)
    body = Path("contexts/push.json").read_text("utf-8")
    push.dead_letter(body.replace(DEVICE, "a phone"))
    assert push.succeed("send", "contexts/push.json", "--yes", *target)["sent_to_queue"]
    status = push.succeed("status", *target)
    assert (1, 1) == (status["waiting"], status["dead_letters"])
    (cause,) = push.succeed("dlq", "list", *target)["causes"]
    assert "device_malformed" == cause["cause"]
    assert [] == push.succeed("unknown", "list", *target)
    push.succeed("suppression", "add", DEVICE, "--reason", "returned", "--yes", *target)
    assert push.succeed("suppression", "list", *target)
    wrong = push.refused("suppression", "lift", "+447700900123", "--reason", "typed", *target)
    assert "expected a device token" in wrong
    (definition,) = push.succeed("assistants", "check", "--offline", *target)
    assert "shift_alert" == definition["name"]
    monkeypatch.setenv("OPENAI_API_KEY", API_KEY)
    assert 0 == push.succeed("assistants", "test", *target)["failed"]


@pytest.mark.parametrize(
    ("declared", "options", "problem"),
    [
        ((), (), "push: expected one installed package"),
        ((PARTS, f"{PACKAGE}.index:PARTS"), (), f"found {PACKAGE}.index:PARTS, {PARTS}: name the"),
        (("missing:PARTS",), (), "the entry point push: expected module:NAME"),
        ((), ("--parts", "missing:PARTS"), "found ModuleNotFoundError at the import of missing"),
        ((), ("--parts", f"{PACKAGE}.parts"), f"found {PACKAGE}.parts, a module"),
        ((), ("--parts", "?"), "found AttributeError at the import of ?"),
        ((), ("--env", "prod"), "no stack acme-alerts-push-prod in this account and region"),
    ],
)
def test_parts_that_cannot_be_used_are_reported(
    push: OperatorChannel,
    declare: Declare,
    declared: tuple[str, ...],
    options: tuple[str, ...],
    problem: str,
) -> None:
    """In one message that says what was expected; no other channel's rules are applied."""
    for each in declared:
        declare(each)
    command = ("suppression", "lift", DEVICE, "--reason", "asked")
    assert problem in push.refused(*command, *TARGET, *options)


@pytest.mark.parametrize(
    ("project", "expected"),
    [("acme-alerts", ["push"]), ("acme", []), ("ai-multi-comms", ["whatsapp"])],
)
def test_a_project_has_only_its_own_channels(
    push: OperatorChannel, project: str, expected: list[str]
) -> None:
    """Stacks of a project whose name is longer belong to that one."""
    del push
    session = Session("dev", "push", is_local=False, console=Console(), project=project)
    assert expected == [each.channel for each in session.all_deployments()]
