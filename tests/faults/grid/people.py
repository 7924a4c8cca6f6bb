"""The people around a world: the one on duty, and whoever redrives dead letters."""

from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from tests.faults.grid.stage import TABLE
from tests.faults.grid.world import World
from tests.faults.person import Decision, TableRegister, decide
from tests.services.channel import CONVERSATION, RECIPIENT

KEY = RecordKey(RECIPIENT, CONVERSATION)


def decide_on(world: World) -> Decision:
    """Let the person on duty decide on what was declared unknown, by what the vendor shows."""
    sids = [message["sid"] for message in world.services.twilio.messages()]
    register = TableRegister(world.services.dynamodb, TABLE)
    decision = decide(register, KEY, sids[0] if sids else "", world.now)
    world.look()
    return decision


def redrive(world: World) -> bool:
    """Bring dead letters back, unless what they ask for is refused; whether there were any."""
    if not world.queue.dead() or world.record.status == Status.FAILED:
        return False
    world.queue.redrive()
    return True
