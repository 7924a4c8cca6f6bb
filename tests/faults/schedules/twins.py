"""Messages that read the same to the same person: nobody can tell them apart but by their sids.

Where two conversations each sent such a message, it is as well that each has the sid of the other.
"""

from lambda_src.core.context import RecordKey
from tests.faults.schedules.surroundings import Surroundings


def recorded_sid(key: RecordKey, world: Surroundings) -> str:
    """The sid in a record; its own, if it has a twin's in exchange for it."""
    record, own = world.table.records.get(key), world.witness.open(key).sids
    if record is None or record.sid in own:
        return record.sid if record else ""
    is_exchanged = own and record.sid in _sids_of_twins(key, world)
    return own[0] if is_exchanged and _recorded(world).count(record.sid) == 1 else record.sid


def listed_sid(key: RecordKey, world: Surroundings) -> str:
    """The message that a person finds for a conversation, empty if there is none."""
    own = world.witness.open(key).sids
    listed = [*own, *_sids_of_twins(key, world)] if own else []
    return next((sid for sid in listed if sid not in _recorded(world)), "")


def _sids_of_twins(key: RecordKey, world: Surroundings) -> list[str]:
    if world.ai.is_original:
        return []
    return [
        sid
        for other, dossier in world.witness.dossiers.items()
        for sid in dossier.sids
        if other != key and other.primary_channel == key.primary_channel
    ]


def _recorded(world: Surroundings) -> list[str]:
    return [record.sid for record in world.table.records.values()]
