"""The runbook as a person uses it: its sections, and what their commands ask AWS for."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.alarms.aws_command import AwsCommand
from tests.infra.synthesis import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"
PREPARATION = "Before you begin"
DRILL = "Drill"

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

STAND_IN = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" >> "$CALLS"
printf '\\n\\0' >> "$CALLS"
echo "answer-of-$1-$2"
"""
"""Stands for `aws` and `python`: notes its name and arguments, and answers something."""


@dataclass(frozen=True)
class Section:
    """One section: its heading, and the text below it."""

    heading: str
    text: str

    @property
    def blocks(self) -> list[str]:
        """What stands in its boxes of shell commands."""
        return _BLOCK.findall(self.text)


def sections() -> Mapping[str, Section]:
    """Return the runbook's sections by heading."""
    _, *parts = _HEADING.split(RUNBOOK.read_text("utf-8"))
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {heading: Section(heading, text) for heading, text in pairs}


def calls(section: Section, scratch: Path) -> list[AwsCommand]:
    """Type the preparation's and then a section's commands into a shell.

    Args:
        section: The section.
        scratch: An empty directory.

    Returns:
        What the section's own commands asked AWS for.

    Raises:
        AssertionError: The shell has something to complain of.
    """
    return [AwsCommand.parse(arguments) for arguments in _of("aws", section.blocks, scratch)]


def calls_of_the_tool(blocks: list[str], scratch: Path) -> list[list[str]]:
    """Type the preparation's commands and these into a shell.

    Args:
        blocks: Boxes of shell commands.
        scratch: An empty directory.

    Returns:
        The arguments of each call of the operator's tool.

    Raises:
        AssertionError: The shell has something to complain of.
    """
    module = ["-m", "ops"]
    typed = _of("python", blocks, scratch)
    assert all(module == arguments[:2] for arguments in typed)
    return [arguments[2:] for arguments in typed]


def variables(scratch: Path) -> Mapping[str, str]:
    """Return the shell variables that the preparation sets."""
    prepared = sections()[PREPARATION].blocks[0]
    written = _shell([prepared, "set"], scratch)
    names = re.findall(r"^([A-Z_]+)=", prepared, re.MULTILINE)
    found = dict(line.split("=", 1) for line in written.splitlines() if "=" in line)
    return {name: found[name] for name in names}


def _of(program: str, blocks: list[str], scratch: Path) -> list[list[str]]:
    """The arguments of each call of a program, after the preparation."""
    _shell([sections()[PREPARATION].blocks[0], *blocks], scratch)
    noted = (scratch / "calls").read_text("utf-8").split("\n\0")
    called = [arguments.split("\0")[:-1] for arguments in noted if arguments]
    return [arguments for name, *arguments in called if name == program]


def _shell(blocks: list[str], scratch: Path) -> str:
    """Run blocks in one shell, in which programs are stand-ins; return its output."""
    stand_ins = {"aws": STAND_IN, "python": STAND_IN, "sleep": "#!/bin/bash\n"}
    for name, script in stand_ins.items():
        (scratch / name).write_text(script)
        (scratch / name).chmod(0o755)
    for name in ("calls", "secret.json"):
        (scratch / name).touch()
    done = subprocess.run(  # noqa: S603 - our own text
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=scratch,
        env={"PATH": f"{scratch}:/usr/bin:/bin", "CALLS": str(scratch / "calls")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stderr
    return done.stdout
