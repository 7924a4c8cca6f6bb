"""The soak's times are shorter than those deployed, and still what must hold of any."""

from lambda_src.core.contract import REQUIRED_VARIABLES
from lambda_src.core.settings import Settings
from lambda_src.core.timing import SKEW_SECONDS, longest_gap
from tests.faults.soak import pace
from tests.faults.soak.trouble import FREEZE_SECONDS

GIVEN = {str(name): "given" for name in REQUIRED_VARIABLES}
SETTINGS = Settings.from_environment(GIVEN | {str(k): v for k, v in pace.VARIABLES.items()})


def test_a_lease_outlasts_lost_beats_and_ends_before_the_message_is_seen_again() -> None:
    """Beats, lease and visibility stand to each other as they must in a deployment."""
    assert longest_gap(SETTINGS.heartbeat_interval_seconds) < SETTINGS.lease_seconds
    assert SETTINGS.lease_seconds + SKEW_SECONDS <= SETTINGS.heartbeat_visibility_seconds


def test_a_function_has_time_for_its_batch() -> None:
    """A message's whole way fits into the function's time, and that into the visibility."""
    assert SETTINGS.timing.message_span <= pace.FUNCTION_SECONDS <= pace.VISIBILITY_SECONDS


def test_an_open_send_is_looked_for_as_often_as_meant() -> None:
    """The queue delivers a message often enough for every look, and for one failure before."""
    assert SETTINGS.timing.settling_receives + 1 <= pace.MAX_RECEIVE_COUNT


def test_what_is_frozen_wakes_up_too_late() -> None:
    """A frozen worker goes on when another may have its conversation, and its message too."""
    assert FREEZE_SECONDS > SETTINGS.heartbeat_visibility_seconds
    assert pace.FUNCTION_SECONDS > 2 * FREEZE_SECONDS
