"""Registered channels and the page's example conform; the checks find channels' mistakes."""

import json
import logging
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import app
import lambda_src.channels
from conformance import CHECKS, Check, Subject, missing_parts, vendor_file
from conformance.runner import running
from conformance.subject import Vendor
from conformance.twilio_vendor import TwilioVendor
from lambda_src.channels import parts_of
from lambda_src.processors import OutgoingMessage, PermanentFailure, Settings, Step
from local import paths
from local.fakes import Fault, FaultKind
from local.vendors import example_secrets
from stacks import channels
from stacks.channels import CHANNELS
from stacks.channels.email import CHANNEL as EMAIL
from stacks.channels.sms import CHANNEL as SMS
from stacks.config import Channel, ChannelNames
from tests.conformance.amazon_sns_vendor import AmazonSnsVendor
from tests.infra.synthesis import DELIVERY, assemble, environment, stub_package, synthesize

REGISTERED = {channel.name: channel.vendor for channel in CHANNELS}
SENDER, ASSISTANT, EXAMPLE, VENDOR = SMS_FILES = (
    "lambda_src/channels/sms.py",
    "lambda_src/assistants/sms_first_contact.toml",
    "examples/contexts/sms.json",
    "conformance/twilio_vendor.py",
)
NO_AI: dict[str, Any] = {"company_data_payload": {"ai_config": {"openai_config": {}}}}
FUNCTION, MAPPING = "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping"
POLICY, SCHEDULER_ERRORS = "AWS::IAM::Policy", "ScheduledJobSchedulerErrorsB1FE1B4A"
WORKERS_ROLE = {"Role": {"Fn::GetAtt": ["DeliveryEventsWorkerRole6E788FAE", "Arn"]}}
OTHER_CHANNEL = {"CHANNEL": "whatsapp"}
BY_NAME = {check.__name__: check for check in CHECKS}
DOCUMENT = paths.ROOT / "docs" / "adding-a-channel.md"
PAGE: dict[str, Callable[..., Vendor]] = {
    "pager": partial(TwilioVendor, has_template=False),
    "notice": AmazonSnsVendor,
}
"""The page's channels, each with the fake of its vendor."""
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
log = logging.getLogger("lambda_src.channels.broken")


def subject_of(channel: Channel) -> Subject:
    """Return the description of a registered channel."""
    module = import_module(vendor_file(channel.vendor).removesuffix(".py").replace("/", "."))
    make_vendor = module.make_vendor
    if channel.vendor == "Twilio":
        tenant = f"ai-multi-comms/dev/{channel.name}-credentials/demo-company"
        make_vendor = partial(make_vendor, has_template=example_secrets().get(tenant, False))
    return Subject(
        names=ChannelNames(channel, environment(**DELIVERY)),
        template=synthesize(**DELIVERY).directory / f"{channel.display}.template.json",
        parts=parts_of(channel.name),
        vendor=make_vendor,
        example=paths.EXAMPLE_CONTEXTS / f"{channel.name}.json",
    )


@each_check
@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.name)
def test_a_channel_conforms(channel: Channel, check: Check) -> None:
    """No check finds a problem."""
    assert [] == list(check(subject_of(channel)))


def test_channels_are_registered_and_complete() -> None:
    """Every module in `lambda_src/channels` belongs to a registered channel without gaps."""
    senders = (paths.ROOT / "lambda_src" / "channels").glob("[!_]*.py")
    assert sorted(REGISTERED) == sorted(path.stem for path in senders)
    for channel in REGISTERED:
        assert [] == list(missing_parts(channel, paths.ROOT, REGISTERED))


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        (SENDER, None, f"{SENDER}: write "),
        (ASSISTANT, None, f"{ASSISTANT}: write "),
        (EXAMPLE, None, f"{EXAMPLE}: write "),
        (VENDOR, None, f"{VENDOR}: write a fake of Twilio"),
        (SENDER, b"# nothing yet", f"{SENDER}: name the channel's parts as PARTS"),
        (ASSISTANT, b'model = "gpt-6-luna"', f"{ASSISTANT}: instructions: expected a non-empty "),
        (ASSISTANT, b"\xff\x00", f"{ASSISTANT}: expected TOML in UTF-8, found another encoding"),
        (
            EXAMPLE,
            '{"name": "Ren\u00e9"}'.encode("latin-1"),
            "expected a text in UTF-8, found anot",
        ),
        (EXAMPLE, b'{"a" 1}', "expected JSON, found other text: "),
        (EXAMPLE, json.dumps(NO_AI).encode("utf-16"), f"{EXAMPLE}: configure the AI for sms"),
    ],
)
def test_a_missing_part_is_named(
    tmp_path: Path, file: str, content: bytes | None, problem: str
) -> None:
    """A missing or incomplete file is named with what it lacks."""
    for each in SMS_FILES:
        (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.ROOT / each, tmp_path / each)
    assert [] == list(missing_parts("sms", tmp_path, REGISTERED))
    (unregistered,) = missing_parts("sms", tmp_path, {"whatsapp": "Twilio"})
    assert unregistered.startswith("stacks/channels/sms.py: name the channel's entry")
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    (found,) = missing_parts("sms", tmp_path, REGISTERED)
    assert problem in found
    assert file in found


def _send_twice(send: Callable[..., str], *arguments: Any) -> str:
    send(*arguments)
    return send(*arguments)


def _log_recipient(send: Callable[..., str], credentials: Any, message: OutgoingMessage) -> str:
    log.info("sending to %s", message.recipient, extra={"event": "sending"})
    return send(credentials, message)


def _refuse(*_: object) -> str:
    raise PermanentFailure("planted_code", Step.SEND)


@pytest.mark.parametrize(
    ("check", "method", "broken", "problem"),
    [
        ("check_send", "send", _send_twice, "accepted 2 messages"),
        ("check_send", "send", _refuse, "a valid context object (planted_code"),
        ("check_reconciliation", "find", lambda *_, **__: (), "not_found_at_vendor"),
        ("check_log_privacy", "send", _log_recipient, "private values"),
    ],
)
def test_a_broken_sender_does_not_conform(
    check: str, method: str, broken: Callable[..., Any], problem: str
) -> None:
    """A sender with a mistake in one method is found by its check, with the failure's code."""
    working = subject_of(SMS)

    def make_sender(settings: Settings) -> Any:
        sender = working.parts.make_sender(settings)
        methods = {"send": sender.send, "find": sender.find}
        return SimpleNamespace(**methods | {method: partial(broken, methods[method])})

    parts = replace(working.parts, make_sender=make_sender)
    assert problem in " ".join(BY_NAME[check](replace(working, parts=parts)))


def _first(template: dict[str, Any], kind: str, named: str = "") -> Any:
    resources = template["Resources"].items()
    return next(r["Properties"] for name, r in resources if r["Type"] == kind and named in name)


def _with_template(subject: Subject, template: dict[str, Any], directory: Path) -> Subject:
    assembly = subject.template.parent
    without_code = shutil.ignore_patterns("asset.*")
    shutil.copytree(assembly, directory, ignore=without_code, dirs_exist_ok=True)
    (directory / subject.template.name).write_text(json.dumps(template))
    return replace(subject, template=directory / subject.template.name)


def _statements(template: dict[str, Any], part: str = "Processor") -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = _first(template, POLICY, part)["PolicyDocument"]["Statement"]
    return statements


def _role(template: dict[str, Any]) -> Any:
    return _first(template, "AWS::IAM::Role", "Processor")


def _add(template: dict[str, Any], kind: str, **properties: Any) -> None:
    template["Resources"]["Planted"] = {"Type": kind, "Properties": properties}


def _plant(part: str, action: str, **statement: Any) -> Callable[[dict[str, Any]], object]:
    planted = {"Effect": "Allow", "Action": action, "Resource": "*"} | statement
    return lambda template: _statements(template, part).append(planted)


ALL = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
ROLE_NAME = "ProcessorRole00D2607C"
ROLE: dict[str, Any] = {"Ref": ROLE_NAME}
ROLE_ARN = {"Fn::GetAtt": [ROLE_NAME, "Arn"]}
BY_ROLE = {"Statement": [ALL["Statement"][0] | {"Principal": {"AWS": ROLE_ARN}}]}
READ_ALL = {"Fn::Sub": "arn:aws:secretsmanager:*:*:secret:ai-multi-comms/*"}
PLANTS: tuple[Callable[[dict[str, Any]], object], ...] = (
    _plant("Processor", "*"),
    _plant("Processor", "secretsmanager:*"),
    _plant("Processor", "SecretsManager:GetSecretValue"),
    _plant("Processor", "secretsmanager:GetSecretValue", Resource=READ_ALL),
    _plant("Processor", "kms:*"),
    _plant("Processor", "kms:Decrypt", Condition={"StringEquals": {"kms:ViaService": "sqs"}}),
    _plant("Worker", "dynamodb:GetItem"),
    _plant("Worker", "ses:SendEmail"),
    _plant("Receiver", "sqs:SendMessage"),
    _plant("ScheduledJob", "dynamodb:Query"),
    lambda t: _statements(t).append({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}),
    lambda t: _statements(t)[0].update(NotResource=_statements(t)[0].pop("Resource")),
    lambda t: _statements(t)[0].update(Condition={"Bool": {"aws:SecureTransport": "true"}}),
    lambda t: _statements(t).pop(),
    lambda t: _first(t, POLICY, "ScheduledJob").update(Roles=[]),
    lambda t: _role(t).update(Policies=[{"PolicyDocument": ALL}]),
    lambda t: _role(t).update(ManagedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"]),
    lambda t: _role(t)["AssumeRolePolicyDocument"].update(BY_ROLE),
    lambda t: _add(t, POLICY, Roles=[ROLE], PolicyDocument=ALL),
    lambda t: _add(t, "AWS::IAM::ManagedPolicy", Roles=[ROLE], PolicyDocument=ALL),
    lambda t: _add(t, "AWS::IAM::RolePolicy", RoleName=ROLE, PolicyDocument=ALL),
    lambda t: _add(t, "AWS::SecretsManager::ResourcePolicy", ResourcePolicy=BY_ROLE),
    lambda t: _add(t, FUNCTION, Role=ROLE_ARN),
    lambda t: t["Outputs"].update(Planted={"Value": ROLE}),
    lambda t: _first(t, FUNCTION, "Receiver").update(WORKERS_ROLE),
    lambda t: _first(t, FUNCTION, "Receiver").update(Role="arn:aws:iam::111122223333:role/x"),
)
"""Privileges that a role does not need, or lacks, in every form in which a template has them."""


def _variables(template: dict[str, Any], part: str) -> Any:
    return _first(template, FUNCTION, part)["Environment"]["Variables"]


MUTATIONS: tuple[tuple[str, Callable[[dict[str, Any]], object]], ...] = (
    ("check_resource_names", lambda t: _first(t, FUNCTION).update(FunctionName="x")),
    ("check_resource_names", lambda t: _first(t, "AWS::SQS::Queue", "Events").update(QueueName="")),
    ("check_resource_names", lambda t: t["Resources"].pop(SCHEDULER_ERRORS)),
    ("check_event_source", lambda t: _first(t, MAPPING).pop("FunctionResponseTypes")),
    ("check_event_source", lambda t: _first(t, MAPPING, "Worker").pop("ScalingConfig")),
    ("check_alarms", lambda t: _first(t, "AWS::CloudWatch::Alarm").pop("AlarmActions")),
    *(("check_privileges", plant) for plant in PLANTS),
    ("check_environment", lambda t: _variables(t, "Processor").update(OTHER_CHANNEL)),
    ("check_environment", lambda t: _variables(t, "ScheduledJob").pop("EVENTS_QUEUE_URL")),
    ("check_environment", lambda t: _variables(t, "ScheduledJob").pop("QUEUE_URL")),
    ("check_environment", lambda t: _variables(t, "Processor").pop("HANDOFF_QUEUE_URL")),
    ("check_environment", lambda t: _variables(t, "Worker").update(LEASE_SECONDS="long")),
)


@pytest.mark.parametrize(("check", "mutate"), MUTATIONS)
def test_a_broken_template_does_not_conform(
    check: str, mutate: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    """A broken template is found by the check that is made for it."""
    working = subject_of(SMS)
    template = json.loads(working.template.read_text("utf-8"))
    mutate(template)
    assert list(BY_NAME[check](_with_template(working, template, tmp_path)))


@pytest.mark.parametrize(
    "change",
    [
        lambda each: each.pop("Condition"),
        lambda each: each.update(Action="ses:*"),
        lambda each: each.update(Resource=["*", *each["Resource"]]),
        lambda each: each["Resource"].pop(),
    ],
)
def test_other_privileges_of_a_sender_do_not_conform(
    change: Callable[[dict[str, Any]], object], tmp_path: Path
) -> None:
    """The privileges of the channel's entry are expected exactly, with their conditions."""
    working = subject_of(EMAIL)
    template = json.loads(working.template.read_text("utf-8"))
    change(next(each for each in _statements(template) if "ses:SendEmail" == each["Action"]))
    assert list(BY_NAME["check_privileges"](_with_template(working, template, tmp_path)))


def test_parts_without_a_lookup_do_not_conform() -> None:
    """An environment that has messages looked up, or receives callbacks, needs the parts for it."""
    working = subject_of(SMS)
    parts = replace(working.parts, callbacks=None, make_status_lookup=None)
    assert 2 == len(list(BY_NAME["check_delivery_events"](replace(working, parts=parts))))


def steps(channel: str) -> Iterator[tuple[str, str, str]]:
    """Yield the page's blocks for one of its channels: language, file (if it is one), content."""
    for language, file, content in BLOCK.findall(DOCUMENT.read_text("utf-8")):
        if Path(file).stem.split("_")[0] == channel or f"> examples/contexts/{channel}." in content:
            yield language, file, content


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the page's steps write for its channels; they change no file."""
    root = tmp_path_factory.mktemp("repository")
    for source, copy in (
        *((paths.ROOT / file, file) for file in (EXAMPLE, VENDOR)),
        (Path(__file__).with_name("amazon_sns_vendor.py"), vendor_file("Amazon SNS")),
    ):
        (root / copy).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, root / copy)
    for language, file, content in (step for channel in PAGE for step in steps(channel)):
        if file:
            assert not (paths.ROOT / file).exists()
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(content)
        else:
            assert "sh" == language
            subprocess.run(["/bin/sh", "-ec", content], cwd=root, check=True)  # noqa: S603 - the page's
    return root


@pytest.fixture(scope="module")
def subjects(root: Path) -> Iterator[dict[str, Subject]]:
    """The page's channels, synthesized by the app, which finds their entries."""
    with pytest.MonkeyPatch.context() as patch:
        for package in (channels, lambda_src.channels):
            own_path = str(root / package.__name__.replace(".", "/"))
            patch.setattr(package, "__path__", [*package.__path__, own_path])
        found = {channel.name: channel for channel in channels.find_channels()}
        patch.setattr(app, "CHANNELS", tuple(found.values()))
        own = environment(**DELIVERY)
        templates = assemble(own, stub_package()).directory
        files = {
            name: next(root.rglob(f"assistants/**/{name}_first_contact.toml")) for name in PAGE
        }
        yield {
            name: Subject(
                names=ChannelNames(found[name], own),
                template=templates / f"{found[name].display}.template.json",
                parts=replace(parts_of(name), assistants=files[name].parent),
                vendor=vendor,
                example=root / f"examples/contexts/{name}.json",
            )
            for name, vendor in PAGE.items()
        }


@each_check
@pytest.mark.parametrize("channel", PAGE)
def test_a_channel_of_the_page_conforms(
    subjects: dict[str, Subject], channel: str, check: Check
) -> None:
    """The example channels of the page pass each check."""
    assert [] == list(check(subjects[channel]))


def test_a_notice_keeps_its_paragraphs(subjects: dict[str, Subject]) -> None:
    """A channel whose texts have paragraphs sends them, in variables without a template."""
    written = {"subject": "Your application", "text": "Dear reader,\n\nit has arrived."}
    fault = Fault(FaultKind.WRONG_OUTPUT, message=json.dumps(written))
    with running(subjects["notice"]) as runner:
        (id_,) = runner.process(prepare=lambda: runner.openai.fail_next(fault)).accepted
        (sent,) = cast("AmazonSnsVendor", runner.vendor).state().values()
    assert written == {"subject": sent["Subject"], "text": sent["Message"]}, id_


@pytest.mark.parametrize("channel", PAGE)
def test_the_pages_steps_are_short_and_complete(
    root: Path, subjects: dict[str, Subject], channel: str
) -> None:
    """They have 100 lines at most as ruff formats them, and leave no part of the channel out."""
    sources = list(steps(channel))
    for language, file, content in sources:
        for command in ("format --diff", "check") if language == "python" else ():
            arguments = [*command.split(), "--stdin-filename", file, "-"]
            ruff = [sys.executable, "-m", "ruff", *arguments]
            subprocess.run(ruff, cwd=paths.ROOT, input=content, text=True, check=True)  # noqa: S603
    assert 100 >= sum(content.count("\n") for _, _, content in sources)
    vendor = subjects[channel].names.channel.vendor
    assert [] == list(missing_parts(channel, root, {channel: vendor}))


def test_the_pages_table_lists_existing_files() -> None:
    """The parts of a channel have the names that the page gives them."""
    rows = re.findall(r"^\| `(\w+/[^`]+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert 4 == len(rows)
    assert all((paths.ROOT / row).is_file() for row in rows)
