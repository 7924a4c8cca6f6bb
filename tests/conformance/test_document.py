"""docs/adding-a-channel.md: the page's example channel is complete and conforms."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import app
import lambda_src.channels
from conformance import CHECKS, Check, Subject, missing_parts
from conformance.twilio_vendor import TwilioVendor
from local import paths
from stacks.config import channels
from stacks.config.names import ChannelNames
from tests.infra.synthesis import assemble, environment, stub_package

DOCUMENT = paths.ROOT / "docs" / "adding-a-channel.md"
_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ENTRY = re.compile(r"^CHANNELS = .*\n", re.MULTILINE)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the page's steps write or change."""
    root = tmp_path_factory.mktemp("repository")
    for file in ("stacks/config/channels.py", "examples/contexts/sms.json"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.ROOT / file, root / file)
    for language, file, content in _BLOCK.findall(DOCUMENT.read_text("utf-8")):
        if file == "stacks/config/channels.py":
            source, replaced = _ENTRY.subn(content, (root / file).read_text("utf-8"))
            (root / file).write_text(source)
            assert 1 == replaced
        elif file:
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            (root / file).write_text(content)
        elif language == "sh" and "pytest" not in content:
            subprocess.run(["/bin/sh", "-ec", content], cwd=root, check=True)  # noqa: S603 - the page's
    return root


@pytest.fixture(scope="module")
def subject(root: Path) -> Iterator[Subject]:
    """The page's channel, synthesized by the app that the page's entry registers it in."""
    changed = dict(vars(channels))
    exec((root / "stacks/config/channels.py").read_text("utf-8"), changed)  # noqa: S102 - the page's
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "CHANNELS", changed["CHANNELS"])
        module_path = [*lambda_src.channels.__path__, str(root / "lambda_src/channels")]
        patch.setattr(lambda_src.channels, "__path__", module_path)
        parts = lambda_src.channels.parts_of("pager")
        yield Subject(
            names=ChannelNames(changed["PAGER"], environment()),
            template=assemble(environment(), stub_package()).directory / "Pager.template.json",
            parts=replace(parts, assistants=root / "lambda_src/assistants"),
            vendor=partial(TwilioVendor, has_template=False),
            example=root / "examples/contexts/pager.json",
        )


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_pages_channel_conforms(subject: Subject, check: Check) -> None:
    """The example channel of the page passes each check."""
    assert [] == list(check(subject))


def test_the_pages_channel_is_complete(root: Path) -> None:
    """The page's steps leave no part of the channel out."""
    assert [] == list(missing_parts("pager", root, ("whatsapp", "sms", "pager")))


def test_the_page_lists_the_files_of_sms() -> None:
    """Every file of the page's table exists."""
    rows = re.findall(r"^\| `([^`]+)` \|", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    assert 4 == len(rows)
    assert all((paths.ROOT / row).is_file() for row in rows)
