"""The API pages are built from the docstrings."""

import logging
from pathlib import Path

import pytest

from distribution import PUBLIC
from distribution.pages import build_pages
from distribution.public import public_members


def test_pages_tell_what_is_promised(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each public name has a section, with props, attributes and grants; nothing is misread."""
    with caplog.at_level(logging.WARNING):
        build_pages(tmp_path)
    assert [] == [record.getMessage() for record in caplog.records]
    texts = {module: (tmp_path / f"{module}.md").read_text("utf-8") for module in PUBLIC}
    for module, _, name in (path.rpartition(".") for path, _ in public_members()):
        assert f"\n## `{name}`\n" in texts[module]
    queue = texts["ai_multi_comms.constructs"].partition("\n## `ChannelQueue`")[2]
    section = queue.partition("\n## ")[0]
    promised = ("**max_receive_count**", "[**dead_letter_queue**]", "[**grant_send**]")
    assert promised == tuple(each for each in promised if each in section)
