"""The lines that the runtime really logs, against the filters that the template really has."""

import pytest

from tests.alarms.conftest import Lines
from tests.alarms.counting import counted, filter_patterns
from tests.alarms.stories import STORIES
from tests.infra.synthesis import Synthesized


@pytest.mark.parametrize("story", STORIES)
def test_each_story_is_counted_by_its_filters(lines: Lines, dev: Synthesized, story: str) -> None:
    """A story's lines are counted as often as they should be, and by no other filter."""
    assert STORIES[story].counted == counted(dev, lines[story])


def test_every_filter_has_a_story(dev: Synthesized) -> None:
    """No filter of the template waits for a line that nothing here logs."""
    told = {name for story in STORIES.values() for name in story.counted}

    assert set(filter_patterns(dev)) == told
