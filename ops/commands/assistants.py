"""`assistants`: check the definitions of this checkout, and test what they write."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lambda_src.core import (
    ASSISTANTS_DIRECTORY,
    CHARACTERS,
    DEFINITION_KEYS,
    AssistantDefinition,
    DefinitionProblem,
    InvalidDefinition,
    ProcessingError,
    TextRules,
    parse_definition,
    read_definition,
)
from lambda_src.core.contract import RETIREMENT_DAYS
from lambda_src.core.retirement import days_left
from ops.command import Console, Session, ShowPersonalData, command
from ops.console import format_dollars
from ops.credential_checks import API_KEY, OpenAILookup, SecretStore

if TYPE_CHECKING:
    from ops.golden import CaseResult

app = typer.Typer(
    no_args_is_help=True,
    help="Assistant definitions: valid, their models available, their drafts as expected.",
)

MAX_SCHEMA_TEXT = 120_000
"""Characters that all texts of a strict schema may have together
(https://platform.openai.com/docs/guides/structured-outputs)."""

Directory = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        exists=True,
        file_okay=False,
        help="Where the definitions are; by default where the channel's parts say.",
    ),
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask OpenAI about the models.")]
Days = Annotated[
    int, typer.Option("--days", min=0, help="How many days a model must still be available.")
]
Records = Annotated[
    bool,
    typer.Option(
        "--records",
        help="Instead of files, check the tenants' inline definitions in the channel's records.",
    ),
]

Golden = Annotated[
    Path | None,
    typer.Option(
        "--directory",
        file_okay=False,
        help="Where the cases are; by default golden/CHANNEL in the working directory.",
    ),
]

UNRECORDED = (
    "Version 1.x did not record the unknown keys of an inline definition: have the definitions of"
    " every tenant listed here checked for them."
)


@dataclass
class DefinitionCheck:
    """One definition with its problems.

    Attributes:
        name: The assistant's id.
        model: Its model, empty if the definition has none.
        problems: What makes it fail now.
        warnings: What will make it fail later.
    """

    name: str
    model: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class TenantCheck:
    """A tenant's inline definitions, as its records contain them.

    Attributes:
        company_id: The tenant.
        records: How many records have an inline definition.
        affected: How many of these definitions this version refuses.
        last_affected: `updated_at` of the latest of them, empty if there is none.
        problems: Why they are refused, each reason once.
    """

    company_id: str
    records: int = 0
    affected: int = 0
    last_affected: str = ""
    problems: list[str] = field(default_factory=list)


@command(app, "check")
def check(  # noqa: PLR0917 - options, passed by name
    session: Session,
    directory: Directory = None,
    offline: Offline = False,  # noqa: FBT002 - an option
    days: Days = RETIREMENT_DAYS,
    records: Records = False,  # noqa: FBT002 - an option
    show_personal_data: ShowPersonalData = False,  # noqa: FBT002 - an option
) -> None:
    """Check every definition, and ask OpenAI how long its model is available.

    The key is OPENAI_API_KEY, or else the channel's own secret. Exit code 1 means that a definition
    does not work, or will stop working within --days.

    With --records, list the tenants that send inline definitions, and those that this version
    refuses, before an upgrade; this reads the whole table. Names that a tenant chose are shown as ?
    without --show-personal-data.

        python -m ops assistants check --offline
        OPENAI_API_KEY=… python -m ops assistants check --days 60
        python -m ops assistants check --records --env prod
    """
    if records:
        _check_records(session, show=show_personal_data)
        return
    parts = session.parts
    paths = sorted((directory or parts.assistants or ASSISTANTS_DIRECTORY).glob("*.toml"))
    checks = [check_file(path, parts.text_rules) for path in paths]
    if not offline:
        lookup = _lookup(session)
        for each in checks:
            _look_up_model(lookup, each, days)
    _show(session, checks, empty="no definitions")


@command(app, "test")
def run_golden_set(session: Session, directory: Golden = None) -> None:
    """Have the AI write a draft for each case of a golden set, and compare it.

    A draft is made as by `preview`, with the definitions of this checkout; nothing is sent. The key
    is OPENAI_API_KEY, or else the channel's own secret; with --local the fake of the local cloud
    writes. Exit code 1 means that a case is not as expected.

        OPENAI_API_KEY=… python -m ops assistants test
        OPENAI_API_KEY=… python -m ops assistants test --channel email --json
        python -m ops assistants test --local --directory golden/whatsapp
    """
    # Imported here, with the composer: `check` needs neither.
    from ops.drafting import Drafter  # noqa: PLC0415
    from ops.golden import read_cases  # noqa: PLC0415

    lookup = _lookup(session)
    drafter = Drafter.of_key(session.channel, session.parts, lookup.api_key, lookup.base_url)
    cases = read_cases(directory or Path("golden", session.channel), drafter)
    with session.console.progress() as progress:
        results = [case.run(drafter) for case in progress.track(cases, description="cases")]
    show_results(session.console, results)
    if any(result.reasons for result in results):
        raise typer.Exit(1)


def show_results(console: Console, results: Sequence["CaseResult"]) -> None:
    """Show each case with what is not as expected, and the tokens and the price of all."""
    rows = [
        {
            "case": each.name,
            "result": "failed" if each.reasons else "passed",
            "outcome": each.draft.outcome,
            "model": each.draft.model,
            "prompt_tokens": each.draft.usage.prompt_tokens,
            "completion_tokens": each.draft.usage.completion_tokens,
            "dollars": each.draft.dollars,
            "seconds": each.draft.seconds,
        }
        for each in results
    ]
    prices = [each.draft.dollars for each in results]
    known = [price for price in prices if price is not None]
    total = sum(known) if len(known) == len(prices) else None
    failed = [each for each in results if each.reasons]
    console.result(
        {
            "cases": [
                {**row, "reasons": each.reasons} for row, each in zip(rows, results, strict=True)
            ],
            "failed": len(failed),
            "prompt_tokens": sum(each.draft.usage.prompt_tokens for each in results),
            "completion_tokens": sum(each.draft.usage.completion_tokens for each in results),
            "dollars": total,
        }
    )
    console.rows(
        [{**row, "dollars": format_dollars(price)} for row, price in zip(rows, prices, strict=True)]
    )
    for each in failed:
        console.heading(f"{each.name}: not as expected")
        for reason in each.reasons:
            console.say(f"• {reason}")
        console.say(each.draft.content, "dim")
    tokens = sum(each.draft.usage.total_tokens for each in results)
    outcome = (
        f"{len(failed)} of {len(results)} cases failed" if failed else f"{len(results)} passed"
    )
    style = "red" if failed else "green"
    console.say(f"{outcome}; {tokens:,} tokens, {format_dollars(total)}", style)


def _check_records(session: Session, *, show: bool) -> None:
    fields = ("company_id", "updated_at", "ai_config")
    records = session.conversations.scan_fields(fields, channel_method=session.channel)
    tenants = check_records(records, session.channel, show=show)
    if tenants:
        session.console.note(UNRECORDED)
    _show(session, tenants, empty="no record has an inline definition")


def _show(
    session: Session, checks: Iterable[DefinitionCheck] | Iterable[TenantCheck], empty: str
) -> None:
    """Show the checks; exit with 1 if one has problems."""
    rows = [asdict(each) for each in checks]
    session.console.result(rows)
    session.console.rows(
        [
            {name: "; ".join(v) if isinstance(v, list) else v for name, v in row.items()}
            for row in rows
        ],
        empty=empty,
    )
    if any(row["problems"] for row in rows):
        raise typer.Exit(1)


def check_records(
    records: Iterable[Mapping[str, Any]], channel: str, *, show: bool
) -> list[TenantCheck]:
    """Check the inline definitions of a channel's records; return their tenants in order.

    Args:
        records: The fields `company_id`, `updated_at` and `ai_config` of each record.
        channel: The channel's name.
        show: Whether to show names that tenants chose.
    """
    tenants: dict[str, TenantCheck] = {}
    for record in records:
        definition = _inline_definition(record.get("ai_config"), channel)
        if definition is None:
            continue
        company = str(record.get("company_id", ""))
        tenant = tenants.setdefault(company, TenantCheck(company))
        tenant.records += 1
        try:
            parse_definition(definition)
        except InvalidDefinition as error:
            tenant.affected += 1
            tenant.last_affected = max(tenant.last_affected, str(record.get("updated_at", "")))
            texts = (_describe(problem, show=show) for problem in error.problems)
            tenant.problems = list(dict.fromkeys([*tenant.problems, *texts]))
    return sorted(tenants.values(), key=lambda tenant: tenant.company_id)


def _inline_definition(ai_config: object, channel: str) -> object:
    """Return the inline definition of a record; None if it has none."""
    value = ai_config
    for name in ("openai_config", channel, "assistant"):
        value = _from_text(value)
        value = value.get(name) if isinstance(value, Mapping) else None
    return _without_decimals(_from_text(value))


def _from_text(value: object) -> object:
    """Read a container that DynamoDB cannot store as such, and that is stored as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _without_decimals(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _without_decimals(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_without_decimals(part) for part in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def _describe(problem: DefinitionProblem, *, show: bool) -> str:
    known = (name if show or name in DEFINITION_KEYS else "?" for name in problem.path)
    return str(replace(problem, path=tuple(known)))


def check_file(path: Path, rules: TextRules) -> DefinitionCheck:
    """Check a definition for a channel with these rules, without asking OpenAI."""
    checked = DefinitionCheck(path.stem)
    try:
        definition = read_definition(path)
    except InvalidDefinition as error:
        checked.problems.extend(map(str, error.problems))
    else:
        checked.model = definition.model
        checked.problems.extend(_variable_problems(definition, rules))
    return checked


def check_model(checked: DefinitionCheck, shutdown: date | None, today: date, days: int) -> None:
    """Add what the end of a model means for its definition.

    Args:
        checked: The definition.
        shutdown: When its model is shut down; None if no date is announced.
        today: The current date.
        days: How many days it must still be available.
    """
    if shutdown is None:
        return
    left = days_left(shutdown, today)
    text = f"{checked.model} shuts down on {shutdown}, in {left} days"
    (checked.problems if left < days else checked.warnings).append(text)


def _lookup(session: Session) -> OpenAILookup:
    key = os.environ.get(API_KEY)
    if key and not session.is_local:
        return OpenAILookup(key, session.endpoints.openai_base_url)
    return OpenAILookup.of_channel(SecretStore(session.aws.secretsmanager, session.deployment))


def _look_up_model(lookup: OpenAILookup, checked: DefinitionCheck, days: int) -> None:
    if not checked.model:
        return
    try:
        shutdown = lookup.shutdown_date(checked.model)
    except ProcessingError as error:
        checked.problems.append(f"{checked.model}: {error}")
    else:
        check_model(checked, shutdown, datetime.now(UTC).date(), days)


def _variable_problems(definition: AssistantDefinition, rules: TextRules) -> Iterator[str]:
    for name in rules.required_variables:
        if name not in definition.variables:
            yield f"variables: the channel requires {name}"
    total = sum(variable.max_length or 0 for variable in definition.variables.values())
    for limit in rules.variables:
        if limit.unit == CHARACTERS and total > limit.maximum:
            yield (
                f"variables: the sum of max_length is {total},"
                f" and the channel allows {limit.maximum} {limit.unit}"
            )
    texts = sum(len(v.description) + len(name) for name, v in definition.variables.items())
    if texts > MAX_SCHEMA_TEXT:
        yield (
            f"variables: names and descriptions have {texts} characters,"
            f" and may have {MAX_SCHEMA_TEXT:,}"
        )
