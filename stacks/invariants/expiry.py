"""When conversations are deleted by themselves, against when they are said to be."""

from collections.abc import Iterator

from lambda_src.core.contract import EXPIRES_AT, Variable
from stacks.invariants.assembly import Assembly
from stacks.invariants.consumer import functions
from stacks.invariants.invariant import Finding, invariant
from stacks.invariants.production import TABLE

PATH = "TimeToLiveSpecification"


@invariant(
    "records-expire-as-said",
    holds="A processor that gives its records a time to live writes to a table that heeds it.",
    remedy=f"Set `time_to_live_attribute` of the table to `{EXPIRES_AT}`.",
)
def records_expire_as_said(assembly: Assembly) -> Iterator[Finding]:
    """Otherwise personal data stays for longer than anybody was told."""
    for function in functions(assembly):
        if Variable.CONVERSATION_RETENTION_DAYS not in function.variables:
            continue
        name = function.resource.value(f"Environment.Variables.{Variable.CONVERSATIONS_TABLE}")
        table = assembly.referred(function.resource.template, name, TABLE)
        if table and _attribute(table.value(PATH, {})) != EXPIRES_AT:
            yield Finding(table, PATH, f"does not delete by {EXPIRES_AT!r}, which records carry")


def _attribute(specification: dict[str, object]) -> object:
    return specification.get("AttributeName") if specification.get("Enabled") is True else None
