"""Golden sets: context objects with what is expected of the draft that the AI writes for each.

A case is a TOML or JSON file:

    context = "../../examples/contexts/whatsapp.json"  # relative to the file, or the object itself

    [overrides.frontend_payload.recipient_data]        # merged; null (in JSON) removes a field
    recipient_first_name = "Ada"

    [expect]
    held = false                # whether an operator would have to decide
    checks_pass = true          # of a held draft; any other has passed its checks
    must_contain = ["Ada"]      # compared like `must_say` of an assistant's checks
    must_not_contain = ["http"]
    min_length = 20             # characters of the text, or of all variables together
    max_length = 240
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from lambda_src.core import RejectedContext, json_type
from lambda_src.core.drafts.checks import comparable
from lambda_src.core.errors import did_you_mean
from lambda_src.utils.context_processor import EXPECTED
from lambda_src.utils.context_schema import violation
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from ops.drafting import Draft, Drafter

SUFFIXES = (".json", ".toml")
CODE = "golden_case_invalid"


def _path_or_object(value: object) -> object:
    if not isinstance(value, dict) and not (isinstance(value, str) and value.strip()):
        raise violation(CODE, "the path of a context object, or the object itself")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise violation(CODE, "a non-empty string")
    return value


Phrases = list[Annotated[str, AfterValidator(_not_blank)]]


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Expectations(_Keys):
    """What is expected of a draft; see the module."""

    held: bool = False
    checks_pass: bool | None = None
    must_contain: Phrases = []
    must_not_contain: Phrases = []
    min_length: Annotated[int, Field(ge=0)] = 0
    max_length: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.max_length is not None and self.max_length < self.min_length:
            raise violation(CODE, "max_length to be at least min_length")
        return self

    def disappointments(self, draft: Draft) -> Iterator[str]:
        """Yield what a draft does not fulfil."""
        if draft.outcome == "failed":
            yield f"failed: {draft.reason}"
            return
        if self.held and draft.is_sent:
            yield "expected to be held, would be sent"
        if not self.held and not draft.is_sent:
            reasons = "; ".join((draft.reason, *draft.problems))
            yield f"expected to be sent, would be held: {reasons}"
        failed = [each["name"] for each in draft.checks if not each["passed"]]
        if self.checks_pass is not None and self.checks_pass is bool(failed):
            yield f"expected checks to {'pass' if self.checks_pass else 'fail'}, failed: {failed}"
        yield from self._wrong_content(draft.content)

    def _wrong_content(self, content: str) -> Iterator[str]:
        said = comparable(content)
        for phrase in self.must_contain:
            if comparable(phrase) not in said:
                yield f"does not contain {json.dumps(phrase, ensure_ascii=False)}"
        for phrase in self.must_not_contain:
            if comparable(phrase) in said:
                yield f"contains {json.dumps(phrase, ensure_ascii=False)}"
        if len(content) < self.min_length:
            yield f"has {len(content)} characters, expected at least {self.min_length}"
        if self.max_length is not None and len(content) > self.max_length:
            yield f"has {len(content)} characters, expected at most {self.max_length}"


class _File(_Keys):
    context: Annotated[Any, BeforeValidator(_path_or_object)]
    overrides: dict[str, Any] = {}
    expect: Expectations = Expectations()


@dataclass(frozen=True)
class GoldenCase:
    """One case.

    Attributes:
        name: The file's name without its suffix.
        body: The context object as JSON.
        expect: What is expected of its draft.
    """

    name: str
    body: str = field(repr=False)
    expect: Expectations

    def run(self, drafter: Drafter) -> CaseResult:
        """Have the AI write the draft, and compare it."""
        draft = drafter.draft(self.body)
        return CaseResult(self.name, draft, tuple(self.expect.disappointments(draft)))


@dataclass(frozen=True)
class CaseResult:
    """The outcome of one case.

    Attributes:
        name: The case.
        draft: What the AI wrote.
        reasons: What is not as expected; none: the case passed.
    """

    name: str
    draft: Draft
    reasons: tuple[str, ...]


def read_cases(folder: Path, drafter: Drafter) -> list[GoldenCase]:
    """Read the cases of a folder, in the order of their names.

    Args:
        folder: The folder; those below it are left out, and may contain context objects.
        drafter: Validates the context objects.

    Raises:
        OperatorError: There are no cases, or some are invalid: lists every problem with its file.
    """
    paths = [path for path in sorted(folder.glob("*")) if path.suffix in SUFFIXES]
    if not paths:
        raise OperatorError(f"{folder}: expected cases (*.toml, *.json), found none")
    cases: list[GoldenCase] = []
    problems: list[str] = []
    for path in paths:
        try:
            cases.append(_read_case(path, drafter))
        except _InvalidCase as invalid:
            problems += [f"{path}: {problem}" for problem in invalid.problems]
    if problems:
        raise OperatorError("\n".join(problems))
    return cases


class _InvalidCase(Exception):
    """A file that is no case; `problems` name field, expectation and kind."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems


def _read_case(path: Path, drafter: Drafter) -> GoldenCase:
    try:
        file = _File.model_validate(_parse(path))
    except ValidationError as error:
        raise _InvalidCase(*map(_problem, error.errors(include_url=False))) from None
    context = file.context
    if isinstance(context, str):
        try:
            context = _parse(path.parent / context)
        except _InvalidCase as invalid:
            raise _InvalidCase(*(f"context: {context}: {p}" for p in invalid.problems)) from None
    body = json.dumps(merged(context, file.overrides), default=str)
    try:
        drafter.parse(body)
    except RejectedContext as rejected:
        problems = (f"{p.field}: expected {p.expected}, found {p.found}" for p in rejected.problems)
        raise _InvalidCase(*(f"the context object: {problem}" for problem in problems)) from None
    return GoldenCase(path.stem, body, file.expect)


def _parse(path: Path) -> Any:
    kind = path.suffix.removeprefix(".").upper()
    try:
        text = path.read_text("utf-8-sig")
        return tomllib.loads(text) if kind == "TOML" else json.loads(text)
    except OSError as error:
        raise _InvalidCase(f"expected a readable file, found {error.strerror}") from None
    except UnicodeDecodeError:
        raise _InvalidCase("expected a text in UTF-8, found another encoding") from None
    except (ValueError, RecursionError) as error:
        raise _InvalidCase(f"expected {kind}, found other text: {error}") from None


def _problem(details: ErrorDetails) -> str:
    place = ".".join(map(str, details["loc"])) or "the file"
    kind, terms = details["type"], details.get("ctx", {})
    if kind == "missing":
        return f"{place}: expected a value, found nothing"
    found = json_type(details["input"])
    if kind == "extra_forbidden":
        known = _File.model_fields if len(details["loc"]) == 1 else Expectations.model_fields
        hint = did_you_mean(str(details["loc"][-1]), known)
        return f"{place}: expected only the keys {', '.join(known)}, found {found}{hint}"
    expected = terms.get("expected") or EXPECTED.get(kind)
    expected = expected or details["msg"].removeprefix("Input should be ")
    return f"{place}: expected {expected}, found {found}"


def merged(document: Any, changes: Mapping[str, Any]) -> Any:
    """Return a JSON object with changes by the rules of a JSON merge patch (RFC 7396)."""
    result = dict(document) if isinstance(document, dict) else {}
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name), value)
        else:
            result[name] = value
    return result
