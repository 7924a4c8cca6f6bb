"""Assistant definitions: their keys, the rule for each, and the TOML files that contain them.

Standard library only: synth checks the files where the runtime's dependencies are not installed.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lambda_src.core.errors import MAX_LISTED_PROBLEMS, did_you_mean, json_type
from lambda_src.core.models import AssistantDefinition, CheckRules, VariableRule

MIN_OUTPUT_TOKENS = 16
"""OpenAI's minimum; the limit includes the tokens of the model's reasoning."""
MAX_VARIABLES = 100
"""Twilio's limit for the variables of a content template."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""Reasoning efforts of OpenAI's models; each model supports some of them."""
VERBOSITIES = ("low", "medium", "high")

_ROOT = Path(__file__).parents[3]
"""The directory of the runtime's package; the files below it are named by their paths in it."""
ASSISTANTS_DIRECTORY = Path(__file__).parents[2] / "assistants"
"""The definitions of this project's channels."""
_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,16}")
"""WhatsApp's limit is 16 characters."""


@dataclass(frozen=True, slots=True)
class DefinitionProblem:
    """One invalid key of a definition: its path, what was expected, what kind was found.

    Parts of the path that are not in `DEFINITION_KEYS` are the definition's own text. `file` is
    empty for an inline definition.
    """

    path: tuple[str, ...]
    expected: str
    found: str
    file: str = ""

    def __str__(self) -> str:
        places = filter(None, (self.file, ".".join(self.path)))
        return ": ".join([*places, f"expected {self.expected}, found {self.found}"])


class InvalidDefinition(ValueError):
    """A definition with all of its problems.

    Args:
        problems: At least one.
    """

    def __init__(self, problems: Sequence[DefinitionProblem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which values a key may have.

    Attributes:
        expected: Completes the sentence "expected …".
        allows: Whether a value is allowed.
        is_required: Whether the key must be there; others may also be null.
    """

    expected: str
    allows: Callable[[Any], bool]
    is_required: bool = False


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _whole(minimum: int) -> _Rule:
    return _Rule(
        f"a whole number of at least {minimum}",
        lambda value: type(value) is int and value >= minimum,
    )


def _one_of(choices: Sequence[str]) -> _Rule:
    return _Rule(
        f"one of {', '.join(choices)}", lambda value: isinstance(value, str) and value in choices
    )


_TEXT = _Rule("a non-empty string", _is_text, is_required=True)
_DEFINITION = {
    "model": _TEXT,
    "instructions": _TEXT,
    "variables": _Rule("an object", lambda value: isinstance(value, Mapping)),
    "max_output_tokens": _whole(MIN_OUTPUT_TOKENS),
    "reasoning_effort": _one_of(EFFORTS),
    "verbosity": _one_of(VERBOSITIES),
    "checks": _Rule("an object", lambda value: isinstance(value, Mapping)),
}
_BOOLEAN = _Rule("true or false", lambda value: isinstance(value, bool))
_PHRASES = _Rule(
    "an array of non-empty strings",
    lambda value: isinstance(value, list) and all(map(_is_text, value)),
)
_CHECKS = {
    "facts_only": _BOOLEAN,
    "must_say": _PHRASES,
    "must_not_say": _PHRASES,
    "moderation": _BOOLEAN,
}
_VARIABLE = {"description": _TEXT, "max_length": _whole(1)}

DEFINITION_KEYS = frozenset({*_DEFINITION, *_VARIABLE, *_CHECKS})
"""All keys that a definition may have, at any depth."""


def parse_definition(document: object) -> AssistantDefinition:
    """Parse a definition, from a file or inline in a context object.

    Raises:
        InvalidDefinition: Lists every problem; unknown keys are problems, as they are misspelled.
    """
    if problems := list(_problems_of(document, _DEFINITION, ())):
        raise InvalidDefinition(problems)
    keys: Any = document
    return AssistantDefinition(
        model=keys["model"],
        instructions=keys["instructions"],
        variables={
            name: VariableRule(variable["description"], variable.get("max_length"))
            for name, variable in (keys.get("variables") or {}).items()
        },
        max_output_tokens=keys.get("max_output_tokens"),
        reasoning_effort=keys.get("reasoning_effort") or "",
        verbosity=keys.get("verbosity") or "",
        checks=_check_rules(keys.get("checks") or {}),
    )


def _check_rules(keys: Mapping[str, Any]) -> CheckRules:
    given = {name: value for name, value in keys.items() if value is not None}
    return CheckRules(
        facts_only=given.get("facts_only", True),
        must_say=tuple(given.get("must_say", ())),
        must_not_say=tuple(given.get("must_not_say", ())),
        moderation=given.get("moderation", False),
    )


def read_definition(path: Path) -> AssistantDefinition:
    """Read and parse a file.

    Raises:
        InvalidDefinition: It cannot be read, or is not a definition.
    """
    file = str(path.relative_to(_ROOT)) if path.is_relative_to(_ROOT) else str(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        found = f"one that is not: {error.strerror}"
        raise InvalidDefinition([DefinitionProblem((), "a readable file", found, file)]) from None
    return parse_definition_file(content, file)


def parse_definition_file(content: bytes, file: str) -> AssistantDefinition:
    """Parse the content of a TOML file; a byte order mark is ignored.

    Raises:
        InvalidDefinition: It is not TOML in UTF-8, or not a definition; each problem has the name
            of the file.
    """
    try:
        text = content.decode("utf-8-sig")
        return parse_definition(tomllib.loads(text))
    except UnicodeDecodeError as error:
        found = f"another encoding (byte {error.start + 1})"
        problems = [DefinitionProblem((), "TOML in UTF-8", found)]
    except InvalidDefinition as error:
        problems = list(error.problems)
    except (ValueError, RecursionError) as error:  # tomllib's own errors, and a number's length
        line = f"at the end, line {len(text.splitlines())}"
        found = f"other text: {str(error).replace('at end of document', line)}"
        problems = [DefinitionProblem((), "TOML", found)]
    raise InvalidDefinition([replace(problem, file=file) for problem in problems])


def _problems_of(
    value: object, rules: Mapping[str, _Rule], path: tuple[str, ...]
) -> Iterator[DefinitionProblem]:
    if not isinstance(value, Mapping):
        yield DefinitionProblem(path, "an object", json_type(value))
        return
    for name, rule in rules.items():
        if name not in value:
            if rule.is_required:
                yield DefinitionProblem((*path, name), rule.expected, "nothing")
        elif not rule.allows(value[name]) and (value[name] is not None or rule.is_required):
            yield DefinitionProblem((*path, name), rule.expected, json_type(value[name]))
        elif name in _PARTS and value[name]:
            yield from _PARTS[name](value[name], (*path, name))
    expected = f"only the keys {', '.join(rules)}"
    for number, name in enumerate(name for name in value if name not in rules):
        hint = did_you_mean(name, rules) if number < MAX_LISTED_PROBLEMS else ""
        yield DefinitionProblem((*path, name), expected, json_type(value[name]) + hint)


def _problems_of_checks(checks: object, path: tuple[str, ...]) -> Iterator[DefinitionProblem]:
    return _problems_of(checks, _CHECKS, path)


def _problems_of_variables(
    variables: Mapping[str, object], path: tuple[str, ...]
) -> Iterator[DefinitionProblem]:
    if len(variables) > MAX_VARIABLES:
        yield DefinitionProblem(path, f"at most {MAX_VARIABLES} variables", f"{len(variables)}")
        return
    for name, variable in variables.items():
        if not _VARIABLE_NAME.fullmatch(name):
            expected = "a name of 1 to 16 letters, digits and underscores"
            yield DefinitionProblem((*path, name), expected, "another name")
        yield from _problems_of(variable, _VARIABLE, (*path, name))


_PARTS = {"variables": _problems_of_variables, "checks": _problems_of_checks}
"""The problems of the parts of a definition that have parts of their own."""
