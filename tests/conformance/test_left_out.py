"""A channel that forgets a part is told which file to write."""

import shutil
from pathlib import Path

import pytest

from conformance import left_out
from local import paths

REGISTERED = ("whatsapp", "sms")
FILES = (
    "lambda_src/channels/sms.py",
    "lambda_src/assistants/sms_first_contact.toml",
    "examples/contexts/sms.json",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The files of the channel, in a folder of their own."""
    for file in FILES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths.ROOT / file, tmp_path / file)
    return tmp_path


def test_a_whole_channel_is_not_complained_of(copy: Path) -> None:
    """With all its files there is nothing to write."""
    assert [] == list(left_out("sms", copy, REGISTERED))


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(copy: Path, file: str) -> None:
    """Each file that is left out is the one that the message names."""
    (copy / file).unlink()
    (told,) = left_out("sms", copy, REGISTERED)
    assert told.startswith(f"{file}: write ")


def test_a_missing_entry_is_named(copy: Path) -> None:
    """A channel that is not registered is told where that is done."""
    (told,) = left_out("sms", copy, ("whatsapp",))
    assert told.startswith("stacks/channels.py: add sms to CHANNELS")


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        (FILES[0], "# nothing yet", "name the channel's parts as PARTS"),
        (FILES[1], 'model = "gpt-6-luna"', "name its model and its instructions"),
        (
            FILES[2],
            '{"company_data_payload": {"ai_config": {"openai_config": {}}}}',
            "configure the AI for sms",
        ),
    ],
)
def test_half_a_file_is_named(copy: Path, file: str, content: str, told: str) -> None:
    """A file without its point is told what it lacks."""
    (copy / file).write_text(content)
    assert [f"{file}: "] == [each[: len(file) + 2] for each in left_out("sms", copy, REGISTERED)]
    assert any(told in each for each in left_out("sms", copy, REGISTERED))
