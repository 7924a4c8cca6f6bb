"""The metrics that the runtime emits, against the template's filters over the same log group."""

import json

from lambda_src.core.contract import METRICS_NAMESPACE
from tests.alarms.counting import counted
from tests.alarms.stories import STORIES
from tests.contract.test_environment_variables import variables
from tests.infra.synthesis import Synthesized
from tests.services.channel import Channel


def test_metric_lines_match_no_filter(channel: Channel, dev: Synthesized) -> None:
    """However bad the batch was, its metrics wake nobody through the log's filters."""
    for story in STORIES.values():
        story.play(channel)

    lines = channel.read_metrics()

    assert len(lines) > len(STORIES)
    assert {} == counted(dev, map(json.dumps, lines))


def test_template_names_the_namespace(dev: Synthesized) -> None:
    """The function is told the channel's namespace, by the variable that Powertools knows."""
    assert "AIComms/WhatsAppProcessor/Dev" == variables(dev)[METRICS_NAMESPACE]
