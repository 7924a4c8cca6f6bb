"""The checks of a draft: what its texts must and must not contain.

A problem may quote the draft; it is for the AI and the operator, never for the log.
"""

import json
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import islice

from lambda_src.core.contract import CheckMode
from lambda_src.core.drafts.facts import KnownFacts, leaf_texts
from lambda_src.core.models import (
    Answer,
    AssistantDefinition,
    CheckRules,
    ContextObject,
    TextRules,
)

MAX_PROBLEMS = 20
"""Problems of one check that are named to the AI and the operator."""
MAX_QUOTE_LENGTH = 200


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: Its key in the definition.
        problems: Each completes "the draft …"; none: it passed.
    """

    name: str
    problems: tuple[str, ...] = field(default=(), repr=False)


def check_texts(
    answer: Answer, rules: CheckRules, known_facts: Callable[[], KnownFacts]
) -> Iterator[CheckResult]:
    """Yield the results of the checks that need no request.

    Args:
        answer: The draft; its text, or the values of its variables, are checked.
        rules: The assistant's checks; one that is not set has no result.
        known_facts: Returns the facts of the input, which take a moment to find.
    """
    texts = [answer.text] if answer.text else list(answer.variables.values())
    if rules.must_say:
        said = comparable("\n".join(texts))
        missing = (phrase for phrase in rules.must_say if comparable(phrase) not in said)
        yield _result("must_say", (f"does not say {_quote(phrase)}" for phrase in missing))
    if rules.must_not_say:
        said_texts = [comparable(text) for text in texts]
        found = (
            phrase
            for phrase in rules.must_not_say
            if any(comparable(phrase) in text for text in said_texts)
        )
        yield _result("must_not_say", (f"says {_quote(phrase)}" for phrase in found))
    if rules.facts_only:
        facts = known_facts()
        yield _result(
            "facts_only",
            (
                f"has the {fact.kind} {_quote(fact.text)}, which is not in the input"
                for text in texts
                for fact in facts.unsupported(text)
            ),
        )


def moderation_result(categories: tuple[str, ...]) -> CheckResult:
    """Return the result of OpenAI's moderation, which flagged a draft for these categories."""
    return _result("moderation", (f"was flagged as {category}" for category in categories))


def known_facts(context: ContextObject, definition: AssistantDefinition | None) -> KnownFacts:
    """Return the facts that a draft may state: those of all that the AI was given.

    They are of the subject, the names, the company's fields and address, its guidance, and the
    assistant's instructions with the descriptions of its variables.
    """
    texts = [*leaf_texts(context.prompt_context), context.guidance, context.sender]
    if definition:
        descriptions = (variable.description for variable in definition.variables.values())
        texts += [definition.instructions, *definition.checks.must_say, *descriptions]
    return KnownFacts.of(texts)


def stamp(checks: CheckRules, texts: TextRules, mode: CheckMode) -> str:
    """Return what identifies checks and rules for texts: a stored answer may have met others."""
    limits = {
        name: [[limit.maximum, limit.unit] for limit in getattr(texts, name)]
        for name in ("body", "variables")
    }
    others = [texts.keeps_line_breaks, texts.required_variables, texts.needs_template]
    return _digest([asdict(checks), limits, others, mode])


def definition_digest(definition: AssistantDefinition) -> str:
    """Return the SHA-256 of a parsed definition as canonical JSON."""
    return _digest(asdict(definition))


def comparable(text: str) -> str:
    """Return a text as phrases are compared: without case, spacing and invisible characters."""
    normalized = unicodedata.normalize("NFKC", text).casefold()
    visible = "".join(one for one in normalized if unicodedata.category(one) != "Cf")
    return " ".join(visible.split())


def _result(name: str, problems: Iterator[str]) -> CheckResult:
    return CheckResult(name, tuple(islice(problems, MAX_PROBLEMS)))


def _quote(text: str) -> str:
    shortened = text if len(text) <= MAX_QUOTE_LENGTH else f"{text[:MAX_QUOTE_LENGTH]}…"
    return json.dumps(shortened, ensure_ascii=False)


def _digest(value: object) -> str:
    document = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(document.encode()).hexdigest()
