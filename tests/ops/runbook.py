"""The runbook's sections, and the programs that their shell commands call."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
PREPARATION = "Before you begin"
DRILL = "Drill"

_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RECORDER = """#!/bin/bash
printf '%s\\0' "${0##*/}" "$@" >> "$CALLS"
printf '\\n\\0' >> "$CALLS"
echo "answer-of-$1-$2"
"""
"""Replaces `aws` and `python`: records its name and arguments, and prints something."""


@dataclass(frozen=True)
class Section:
    """One section: its heading, and the text below it."""

    heading: str
    text: str

    @property
    def blocks(self) -> list[str]:
        """Its blocks of shell commands."""
        return _BLOCK.findall(self.text)


def sections() -> Mapping[str, Section]:
    """Return the runbook's sections by heading."""
    _, *parts = _HEADING.split(RUNBOOK.read_text("utf-8"))
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {heading: Section(heading, text) for heading, text in pairs}


ALARMS = tuple(heading for heading in sections() if heading not in {PREPARATION, DRILL})
"""The sections about alarms."""


def recorded_calls(program: str, blocks: Sequence[str], directory: Path) -> list[list[str]]:
    """Run the preparation and then blocks in a shell; return a program's calls.

    Args:
        program: `aws` or `python`.
        blocks: Blocks of shell commands.
        directory: An empty directory.

    Returns:
        The arguments of each call.

    Raises:
        AssertionError: The shell reports an error.
    """
    run_blocks([sections()[PREPARATION].blocks[0], *blocks], directory)
    recorded = (directory / "calls").read_text("utf-8").split("\n\0")
    calls = [arguments.split("\0")[:-1] for arguments in recorded if arguments]
    return [arguments for name, *arguments in calls if name == program]


def tool_calls(blocks: Sequence[str], directory: Path) -> list[list[str]]:
    """Run blocks as `recorded_calls` does; return the arguments after `python -m ops`."""
    calls = recorded_calls("python", blocks, directory)
    assert all(["-m", "ops"] == arguments[:2] for arguments in calls)
    return [arguments[2:] for arguments in calls]


def run_blocks(blocks: Sequence[str], directory: Path) -> str:
    """Run blocks in one shell whose programs only record their calls; return its output."""
    for name, script in {"aws": _RECORDER, "python": _RECORDER, "sleep": "#!/bin/bash\n"}.items():
        (directory / name).write_text(script)
        (directory / name).chmod(0o755)
    for name in ("calls", "secret.json"):
        (directory / name).touch()
    done = subprocess.run(  # noqa: S603 - our own text
        ["/bin/bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
        cwd=directory,
        env={"PATH": f"{directory}:/usr/bin:/bin", "CALLS": str(directory / "calls")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stderr), done.stderr
    return done.stdout
