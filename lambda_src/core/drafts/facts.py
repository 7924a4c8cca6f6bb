"""The facts of a text that must occur in its input: whether the AI invented a link or a number.

Facts are compared by value: £12.85 is 12.85, and "Monday 3 March" is 2025-03-03. The input and the
text are read by the same rules, so what is read wrongly in both still agrees.

A text becomes tokens, each with a type of one character, and the rules below are regular
expressions over these types. The types of words come from a table of ten languages (CLDR; the
generator is `tests/facts/tables.py`). No expression can repeat a part without a limit or begin
again within a part, so the time is linear in the text's length.

Not checked, since they are too often no facts: numbers without a unit or currency, words
("twelve", "tomorrow", "noon"), years alone, fractions such as 3/4 and 24/7, durations ("8h", "40
uur"), account numbers, and numbers of less than seven digits to call.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from itertools import product
from pathlib import Path
from typing import Any

JSON = Any
"""A JSON value: null, a boolean, number or string, or a list or object of values."""


class FactKind(StrEnum):
    """What a fact is, as a person would say it."""

    LINK = "link"
    EMAIL = "email address"
    PHONE = "phone number"
    AMOUNT = "amount of money"
    PERCENTAGE = "percentage"
    DATE = "date"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact as written, without its invisible characters; it may be personal data."""

    kind: FactKind
    text: str = field(repr=False)


def prepare() -> None:
    """Read the table of words and compile the rules, which otherwise the first text does."""
    _grammar()


def leaf_texts(value: JSON) -> Iterator[str]:
    """Yield the strings and numbers of a JSON value, numbers as their shortest decimal text.

    Keys are not facts: `"price_gbp": 12.85` has no currency, and supports £12.85 and €12.85.
    """
    pending = [value]
    while pending:
        match pending.pop():
            case str(text):
                yield text
            case bool() | None:
                pass
            case int() | float() | Decimal() as number:
                yield _shortest(Decimal(str(number)))
            case Mapping() as members:
                pending.extend(reversed(list(members.values())))
            case Iterable() as items:
                pending.extend(reversed(list(items)))


def _shortest(number: Decimal) -> str:
    if not number.is_finite() or abs(number.adjusted()) > _MAX_POWER:
        return str(number)
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_MAX_POWER = 30
"""Numbers beyond this power of ten keep their exponent: 1E+999999999 is no text to write out."""


class KnownFacts:
    """The facts of an input, in every form that they support."""

    def __init__(self, known: frozenset[_Key]) -> None:
        self._known = known

    @classmethod
    def of(cls, texts: Iterable[str], constant_texts: Iterable[str] = ()) -> KnownFacts:
        """Read the input.

        Args:
            texts: The strings and numbers of the input, as of `leaf_texts`.
            constant_texts: Texts of the input that are the same for many messages, such as
                instructions. They are cached, as are the short ones of `texts`.
        """
        known: set[_Key] = set()
        dates: set[_Date] = set()
        years: set[int] = set()
        is_without_facts = _table().is_without_facts
        own = (
            _supported_once(text) if len(text) <= _MAX_CACHED_LENGTH else _supported(text)
            for text in texts
            if not is_without_facts(text)
        )
        for supported in (*own, *map(_supported_once, constant_texts)):
            known |= supported.keys
            dates |= supported.dates
            years |= supported.years
        known.update(_date_keys(dates, years))
        return cls(frozenset(known))

    def unsupported(self, text: str) -> tuple[Fact, ...]:
        """Return the facts of a text that the input does not support, in order, each once."""
        if _table().is_without_facts(text):
            return ()
        found = sorted(_Reader(text).found, key=lambda each: each.start)
        facts = (
            Fact(each.kind, each.text) for each in found if self._known.isdisjoint(each.readings)
        )
        return tuple(dict.fromkeys(facts))


# --- what is found -----------------------------------------------------------------------------

_Key = tuple[Hashable, ...]
"""One value of one kind: a text's fact is supported if one of its keys is one of the input's."""
_Date = tuple[int | None, int | None, int | None, int | None]
"""Year, month, day and weekday (Monday is 0); None if it is not written."""
_NUMBER = "number"
_ANY_CURRENCY = ""
_VALUE = "value"
"""Of an amount in the input, whatever its currency."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A fact of a text.

    Attributes:
        kind: Its kind.
        start: Where it begins.
        text: As written.
        readings: The values that it may mean.
        supports: The values that it supports in a text, if it is in the input. Those of `dates`
            follow from all dates of the input.
        dates: The readings of a date.
    """

    kind: FactKind
    start: int
    text: str
    readings: tuple[_Key, ...]
    supports: tuple[_Key, ...] = ()
    dates: tuple[_Date, ...] = ()


@dataclass(frozen=True, slots=True)
class _Supported:
    """What a text of the input supports.

    Attributes:
        keys: Values that need no other text.
        dates: Dates, which are completed by those of other texts.
        years: Numbers that may be the year of a date.
    """

    keys: frozenset[_Key]
    dates: frozenset[_Date]
    years: frozenset[int]


def _supported(text: str) -> _Supported:
    reader = _Reader(text)
    numbers = list(reader.numbers())
    keys = {key for found in reader.found for key in found.supports}
    keys.update(key for number in numbers for key in _number_keys(number))
    return _Supported(
        frozenset(keys),
        frozenset(day for found in reader.found for day in found.dates),
        frozenset(int(number) for number in numbers if _is_year(number)),
    )


_supported_once = lru_cache(maxsize=500)(_supported)
_MAX_CACHED_LENGTH = 50
"""Maximum length of other texts that are cached: many messages have the same dates and rates."""


def _number_keys(value: Decimal) -> Iterator[_Key]:
    """Yield what a number without a unit supports: any currency, and a share as a percentage."""
    yield (_NUMBER, value)
    yield (FactKind.AMOUNT, value, _ANY_CURRENCY)
    yield (FactKind.PERCENTAGE, value)
    if value <= 1 or value != value.to_integral_value():
        yield (FactKind.PERCENTAGE, value * 100)


# --- characters --------------------------------------------------------------------------------

_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cs", "Co"}
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
# WhatsApp and mail programs show *500* € as 500 € in bold.
_EMPHASIS = re.compile(r"(?<![\w*`/@=&?#%.:-])[*_`]++(?=\S)|(?<=[^\s*_`])[*_`]++(?![\w/@=&?#-])")
_MARKS = "*_`"
_LINE_ENDS = "\n\r\v\f\x85\u2028\u2029"
_SPACES = dict.fromkeys(map(ord, f"{_LINE_ENDS}\t"), " ")
_CJK = "\u3005-\u3007\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_LETTER = r"[^\W_]"
_JAPANESE = re.compile(f"[{_CJK}]")
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕһԁԛԝьвкмнтгпαβεικνορτυχγω", "aeopcyxijshdqwbbkmhtrnabeikvoptuxyw"
)
"""Cyrillic and Greek letters that look like Latin ones."""


def visible(text: str) -> str:
    """Return the text after NFKC, without invisible characters and marks of emphasis."""
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
    if not (text.isprintable() or text.translate(_SPACES).isprintable()):
        text = "".join(
            each
            for each in text
            if each.isprintable()
            or ord(each) in _SPACES
            or unicodedata.category(each) not in _INVISIBLE_CATEGORIES
        )
    text = unicodedata.normalize("NFKC", text)
    return _EMPHASIS.sub("", text) if any(mark in text for mark in _MARKS) else text


def _plain(character: str) -> str:
    """Return the ASCII character by which the rules know a digit, space, dash or apostrophe."""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character in _LINE_ENDS:
        return "\n"
    if character.isspace() or character == "\u2800":
        return " "
    category = unicodedata.category(character)
    if category == "Pd" or character in "\u2212~\u301c":
        return "-"
    return "'" if character in "\u2018\u2019\u02bc\u2032" else character


def _simplified(text: str) -> str:
    """Return a text of the same length with one character for all spaces, all dashes, and so on."""
    if text.isascii():
        is_plain = text.isprintable() and "~" not in text
        return text if is_plain else text.translate(_PLAIN_ASCII)
    text = "".join(map(_plain, text)).translate(_PLAIN_ASCII)
    return re.sub(r"(?<=[A-Za-z0-9])\u3002(?=[A-Za-z0-9])", ".", text)


_DIGIT = re.compile("[0-9]")
_PLAIN_ASCII = str.maketrans("\t~\r\v\f", " -\n\n\n")


# --- links and e-mail addresses ----------------------------------------------------------------

# In these expressions each Japanese character is a NUL: it ends a word without a space.
_STOP = r"\s<>\"`|\[\]\x00\u300a-\u3011\u3001\u3002"
_REST = re.compile(r"[^\s<>\"`|\[\]\u300a-\u3011\u3001\u3002]{0,200}")
_URL = re.compile(rf"(?<![A-Za-z0-9])(?:[A-Za-z][A-Za-z0-9+.-]{{1,15}}://|[Ww]{{3}}\.)[^{_STOP}]+")
_TOP_DOMAIN = rf"(?:[Xx][Nn]--[A-Za-z0-9-]{{1,59}}|[^\W\d_]{{2,24}})(?!{_LETTER})"
_HOST = rf"(?:{_LETTER}[\w-]{{0,62}}\.){{1,8}}{_TOP_DOMAIN}"
_EMAIL = re.compile(rf"(?<![\w.%+-])[\w.%+-]{{1,64}}@{_HOST}")
_DOMAIN = re.compile(rf"(?<!{_LETTER}){_HOST}(?::\d{{1,5}})?(?:[/?#\\][^{_STOP}]*)?")
# Without a path or port it may be a version or a phone number, and 10.0.0.0/8 is a network.
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IP_ADDRESS = re.compile(
    rf"(?<![\w.])(?:{_OCTET}\.){{3}}{_OCTET}(?::\d{{2,5}}(?!\d)|(?=[/\\](?!\d)|[?#]\w))"
    rf"(?:[/?#\\][^{_STOP}]*)?"
)
_LINK_MARK = re.compile(
    r"[@:.](?:(?<=@)|(?<=:)//|(?<=[Ww]{3}\.)|(?<=[\w-]\.)[^\W\d_]|(?<=\d\.)\d+\.)"
)
"""Occurs in every link and e-mail address, and seldom elsewhere."""
_MAX_LABEL = 63
_TRAILING = ".,;:!?'*_~)}…»”’"
_ABBREVIATIONS = {"m.in", "p.es", "c.so", "p.za", "n.ro", "asp.net"} | {
    f"{title}.{ending}" for title in ("gent", "ill", "ex", "preg", "egr") for ending in ("mo", "ma")
}
"""Words with a dot inside that end like a domain: "for example", "dear" and so on."""


def _trimmed(url: str) -> str:
    """Return a link without the punctuation of the sentence around it."""
    surplus = url.count(")") - url.count("(")
    end = len(url)
    while end and url[end - 1] in _TRAILING:
        if url[end - 1] == ")":
            if surplus <= 0:
                break
            surplus -= 1
        end -= 1
    return url[:end]


def _link_key(url: str) -> tuple[str, ...]:
    """Return host, path, query and fragment, without what makes no difference."""
    rest = re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://", "", url.replace("\\", "/"))
    parts = re.fullmatch(r"([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", rest, re.DOTALL)
    host, path, query, fragment = (part or "" for part in parts.groups()) if parts else ("",) * 4
    host = host.lower().removeprefix("www.").rstrip(".")
    host = ".".join(map(_decoded_label, re.sub(r":(80|443)$", "", host).split(".")))
    return host, _unquoted(path).rstrip("/"), _unquoted(query.strip("?")), fragment.strip("#")


def _decoded_label(label: str) -> str:
    if label.startswith("xn--") and len(label) <= _MAX_LABEL:
        with suppress(UnicodeError):
            return label[4:].encode("ascii").decode("punycode").lower()
    return label


def _unquoted(text: str) -> str:
    octets = re.sub(
        rb"%([0-9A-Fa-f]{2})",
        lambda match: bytes([int(match[1], 16)]),
        text.encode("utf-8", "replace"),
    )
    return octets.decode("utf-8", "replace")


def _read_url(text: str, rest: str) -> _Found | None:
    """Read a link, of which `rest` is a part if it is more than the next words of the sentence."""
    urls = [_trimmed(text)]
    if rest and (re.search(r"[./:@?#%]", rest) or not urls[0].isascii()):
        urls = [_trimmed(text + rest)]
    elif rest:
        urls.append(text + rest)
    keys = [_link_key(each) for each in urls]
    if not keys[0][0]:
        return None
    readings = tuple((FactKind.LINK, *key) for key in keys)
    without_fragment = tuple((FactKind.LINK, *key[:3], "") for key in keys)
    return _Found(FactKind.LINK, 0, urls[0], readings, (*readings, *without_fragment))


def _read_email(text: str, rest: str) -> _Found:
    text += rest if re.search(r"[.@]\w", rest) else ""
    local, _, host = text.casefold().rpartition("@")
    key = (FactKind.EMAIL, local.lstrip("_"), *_link_key(host))
    return _Found(FactKind.EMAIL, 0, text, (key,), (key,))


def _read_domain(text: str, rest: str) -> _Found | None:
    whole = re.split(r"[:/?#\\]", text)[0]
    host = _known_domain(whole)
    if not host:
        return None
    return _read_url(text, rest) if host == whole else _read_url(host, "")


def _known_domain(host: str) -> str:
    """Return the host up to its last label that is a top-level domain; "" if it has none."""
    labels = host.split(".")
    while len(labels) > 1:
        top = labels[-1].casefold()
        if top.startswith("xn--") or top.translate(_LOOKALIKES) in _table().domains:
            break
        labels.pop()
    known = ".".join(labels) if len(labels) > 1 else ""
    return "" if known.casefold() in _ABBREVIATIONS else known


# --- words -------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Word:
    """The meanings of a word or phrase: its roles in the rules, and its values."""

    roles: set[str] = field(default_factory=set)
    months: set[int] = field(default_factory=set)
    weekdays: set[int] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    powers: set[int] = field(default_factory=set)
    is_pm: bool = False


# Roles, one letter each: in the rules, ~Ww~ is a token with one of the roles W and w.
_ROLES = {
    "O": "st nd rd th er re e o a ª º",  # after the number of a day
    "F": "of de d del di",  # between a day, month and year, or an amount and its currency
    "B": "bis to au al a tot do and und et y e en i or oder ou o of lub até till until through",
    "D": "the den dem der am vom zum bis ab seit le el il la op dia dnia",  # before a day
    "T": "um om at à às as las ore alle dalle godz godzinie dès vers ab gegen kl",  # before an hour
    "Z": "a o",  # the same, and other words
    "K": "um om ore alle dalle godz godzinie kl",  # before 10.30
    "k": "ore godz godzinie kl",  # before an hour without a unit
    "H": "h hs hrs",
    "U": "uhr o'clock oclock",
    "u": "uur h",  # hours, or a duration
    "n": "min minutes minuten",
    "s": "s sec sek",
    "p": "p",
    "t": "t",
    **{mark: mark for mark in "年月日時分半間"},
}
_WEAK_MONTHS = {"may", "set", "out"}
"""Months that are other words too: more than a number before them must suggest a date."""
_NOT_ALONE = {"march", "may", "mars", "mayo", "marca", "marco", "maja", "maj", "mai", "mei", "lis"}
"""Names of months that are other words or people's names where no day or year is beside them."""
_UNCERTAIN_WEEKDAYS = " do di ma me mi so we su sa th ve je fr "
"""Abbreviations that are other words too: "do 3 marca" is "until 3 March"."""
_LONGEST_PHRASE = 4
_CURRENCY_SIGNS = r"$\u00a2-\u00a5\u058f\u060b\u0e3f\u17db\u20a0-\u20cf"
_CURRENCY = re.compile(f"[{_CURRENCY_SIGNS}]")
_ONLY_WORDS = re.compile(r"(?:[A-Za-z ,;!?()\"-]++|\.(?= |$))*+")
"""A text without digits, links, signs of currencies, marks of emphasis and invisible characters."""
_ASCII_WORD = re.compile("[a-z]+")


class _Table:
    """The words of the ten languages."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.words: dict[str, _Word] = defaultdict(_Word)
        self.domains = {each.translate(_LOOKALIKES) for each in content["domains"].split()}
        self.codes = set(content["codes"].split())
        self.abbreviations = {
            name: set(codes.split()) for name, codes in content["abbreviations"].items()
        }
        self._add_calendar(content)
        self._add_money(content)
        for period, names in content["day_periods"].items():
            for word in self._add(names, "A"):
                word.is_pm = period == "pm"
        self._add(content["percent"], "%")
        for role, words in _ROLES.items():
            self._add(words.replace(" ", "|"), role)
        self.words.default_factory = None
        self.starts = {name.split()[0] for name in self.words if " " in name}
        case_sensitive = {each.casefold() for each in (*self.codes, *self.abbreviations, "May")}
        # Lower-case tokens with which a word or phrase may begin; and those of days and months.
        self.known = {*self.words, *self.starts, *case_sensitive}
        calendar = {name for name, word in self.words.items() if word.roles & set("WwM")}
        self.calendar = {name.split()[0] for name in calendar} | {"may"}
        japanese = sorted(filter(_JAPANESE.match, self.words), key=len, reverse=True)
        money = rf"[A-Za-z]{{0,3}}[{_CURRENCY_SIGNS}](?:[A-Z]{{2}}(?![A-Za-z]))?"
        first = rf"[0-9]+|{money}|o'clock"
        self._token = re.compile(
            rf"{first}|{'|'.join(japanese)}|[{_CJK}]|[^\W\d_{_CJK}]+| +|.", re.DOTALL
        )
        self._ascii_token = re.compile(rf"{first}|[A-Za-z]+| +|.", re.DOTALL)

    def _add(self, names: str, role: str) -> list[_Word]:
        words = [self.words[name] for name in names.split("|")]
        for word in words:
            word.roles.add(role)
        return words

    def _add_money(self, content: Mapping[str, Any]) -> None:
        for power, names in content["multipliers"].items():
            for word in self._add(names, "X"):
                word.powers.add(int(power))
        for name, codes in (*content["currencies"].items(), *content["symbols"].items()):
            for word in self._add(name, "C"):
                word.codes.update(codes.split())
        for name in content["symbols"]:
            self._add(name, "S")
        self._add(content["minor_units"].replace(" ", "|"), "P")

    def _add_calendar(self, content: Mapping[str, Any]) -> None:
        tables = {"months": "M", "short_months": "m", "weekdays": "W", "short_weekdays": "w"}
        for table, role in tables.items():
            for number, names in content[table].items():
                for word in self._add(names, role):
                    (word.months if role in "Mm" else word.weekdays).add(int(number))
        for name in content["english_months"].split():
            self.words[name].roles.add("E")
        for name in _WEAK_MONTHS:
            self.words[name].roles = self.words[name].roles - {"M", "m", "E"} | {"v"}

    def split(self, text: str) -> list[str]:
        """Return a text's tokens, of which it consists."""
        return (self._ascii_token if text.isascii() else self._token).findall(text)

    def is_without_facts(self, text: str) -> bool:
        """Return whether a text is just words, none of the calendar, as most of an input are."""
        return _ONLY_WORDS.fullmatch(text) is not None and self.calendar.isdisjoint(
            _ASCII_WORD.findall(text.lower())
        )

    def look_up(self, text: str) -> _Word | None:
        """Return a token's word; None without one."""
        if text in self.codes:
            return _Word(roles={"C", "S"}, codes={text})
        if codes := self.abbreviations.get(text):
            return _Word(roles={"S"}, codes=codes)
        if text == "May":
            return _Word(roles={"M", "m", "E"}, months={5})
        folded = text.casefold()
        if word := self.words.get(folded):
            return word
        if folded.isalnum() or len(folded) == 1:
            return None
        symbol = re.search(r"[^\w\s]", folded)
        return self.words.get(symbol[0]) if symbol else None


@cache
def _table() -> _Table:
    path = Path(__file__).with_name("facts_locale.json")
    return _Table(json.loads(path.read_text("utf-8")))


# --- the rules ---------------------------------------------------------------------------------

# A range has no spaces around its dash, since items of a list may have.
# Types of tokens: a digit for a number of so many digits (5: or more), the character itself for
# punctuation, L for a word without a role, J for a Japanese character, and a character of the
# private use area for each set of roles. A masked token is a NUL.
_DIGITS = "[12345]"
_NUM = (
    rf"(?<!{_DIGITS}[.,':/])(?:(?<![123] )|(?!3))"
    rf"(?>[123](?: 3){{1,5}}(?:[.,]{_DIGITS})?(?! 3)|{_DIGITS}(?:[.,']{_DIGITS}){{0,9}})"
)
_WEEKDAY = r"(?:(?P<w>~Ww~)[.,]{0,2} ?(?:~D~ )?)?"
_WEEKDAY_AFTER = r"(?: ?\((?P<w2>~Ww~)\.?\)|(?P<w3>~W~))?"
_MONTH = (
    r"(?:(?P<M>~Mm~)\.?|(?P<v>~v~)\.|(?<=~F~ )(?P<v2>~v~)"
    r"|(?P<v3>~v~)(?=,? (?:~F~ )?4)|(?(w)(?P<v4>~v~)|(?!)))"
)


@dataclass(frozen=True, slots=True)
class _Match:
    """A rule's match: its groups as texts and words."""

    reader: _Reader
    match: re.Match[str]

    def has(self, group: str) -> bool:
        """Return whether a group is in the rule and took part."""
        return self.match.groupdict().get(group) is not None

    def text(self, group: str | int = 0) -> str:
        """Return a group's text; "" if it did not take part."""
        if group and not self.has(str(group)):
            return ""
        return self.reader.slice(self.match.start(group), self.match.end(group))

    def number(self, group: str) -> int | None:
        """Return a group's number; None if it did not take part."""
        return int(self.text(group)) if self.has(group) else None

    def word(self, *groups: str) -> _Word | None:
        """Return the word of the first group that took part."""
        for group in filter(self.has, groups):
            return self.reader.words[self.match.start(group)]
        return None

    def found(
        self,
        kind: FactKind,
        readings: Iterable[_Key],
        supports: Iterable[_Key] = (),
        dates: tuple[_Date, ...] = (),
    ) -> _Found:
        """Return a fact of the whole match."""
        start, end = self.match.span()
        text = self.reader.written(start, end)
        position = self.reader.starts[start]
        return _Found(kind, position, text, tuple(readings), tuple(supports), dates)


_Read = Callable[[_Match], list[_Found]]
"""Returns the facts of a match; none if it is something else after all."""


# Numbers


def _values(text: str) -> set[Decimal]:
    """Return the values that a number may have: "1.000" is one, or one thousand."""
    text = text.replace(" ", "").replace("'", "")
    marks = [each for each in text if each in ".,"]
    if not marks:
        return {Decimal(text)}
    groups = re.split(r"[.,]", text)
    is_grouped = 1 <= len(groups[0]) <= _GROUP and all(
        len(each) in (2, _GROUP) for each in groups[1:]
    )
    values = set()
    if len(set(marks)) == 1 and is_grouped and len(groups[-1]) == _GROUP and groups[0] != "0":
        values.add(Decimal("".join(groups)))
    if len(marks) == 1 or (len(set(marks[:-1])) == 1 and marks[-1] != marks[0]):
        values.add(Decimal("".join(groups[:-1]) + "." + groups[-1]))
    return values


_GROUP = 3
"""Digits of a group of thousands."""


def _is_year(value: int | Decimal) -> bool:
    return _YEARS.start <= value < _YEARS.stop and value == int(value)


_YEARS = range(1900, 2100)
"""Years that messages are about."""


def _quantities(match: _Match) -> Iterator[set[Decimal]]:
    """Yield the values of each number of a match; the first of a range has the second's power."""
    powers = {0}
    for number, multiplier in (("n2", "x2"), ("n", "x")):
        if not match.has(number):
            continue
        if word := match.word(multiplier):
            powers = word.powers
        yield {value.scaleb(power) for value in _values(match.text(number)) for power in powers}


def _read_amount(match: _Match) -> list[_Found]:
    word = match.word("c", "c2")
    codes = (word.codes if word else set()) or {match.text("c") or match.text("c2")}
    found = []
    for values in _quantities(match):
        named = [(FactKind.AMOUNT, value, code) for value in values for code in codes]
        any_currency = [(FactKind.AMOUNT, value, _ANY_CURRENCY) for value in values]
        supports = (*named, *((_VALUE, value) for value in values))
        found.append(match.found(FactKind.AMOUNT, (*named, *any_currency), supports))
    return found


def _read_minor_amount(match: _Match) -> list[_Found]:
    """Read "50 cents", in any currency, as 0.50."""
    keys = [(FactKind.AMOUNT, value / 100, _ANY_CURRENCY) for value in _values(match.text("n"))]
    named = [(_VALUE, value) for _, value, _ in keys]
    return [match.found(FactKind.AMOUNT, (*keys, *named), keys)]


def _read_percentage(match: _Match) -> list[_Found]:
    percentages = [
        [(FactKind.PERCENTAGE, value) for value in values] for values in _quantities(match)
    ]
    return [match.found(FactKind.PERCENTAGE, keys, keys) for keys in percentages]


# Phone numbers

_PHONE_DIGITS = range(7, 16)
"""Digits of a phone number (E.164), without those that are shorter than any local one."""
_LONG = 9
"""Digits of a number that is a phone number although nothing but its length suggests that."""
_TWO_DIGIT_CODES = re.compile(r"2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
"""Country calling codes of two digits (ITU-T E.164); 1 and 7 have one, all others three."""


def _without_country(digits: str) -> str:
    """Return an international number's national part, without a zero at its beginning."""
    length = 1 if digits[0] in "17" else 2 if _TWO_DIGIT_CODES.match(digits) else 3
    return digits[length:].removeprefix("0")


def _phone_keys(text: str, kind: str = "phone") -> Iterator[_Key]:
    digits = re.sub(r"\D", "", text)
    if text.startswith("+") or digits.startswith("00"):
        digits = re.sub(r"\D", "", text.replace("(0)", ""))
        yield (kind, digits if text.startswith("+") else digits[2:])
        return
    yield (kind, digits)
    yield (f"national {kind}", digits.removeprefix("0"))
    if re.fullmatch(r"[\d ]+", text) and not text.startswith("0"):
        yield (_NUMBER, Decimal(digits))


def _supported_phones(text: str, kind: str = "phone") -> Iterator[_Key]:
    """Yield what a number in the input supports: its national spelling, but no country code."""
    for key in _phone_keys(text, kind):
        yield key
        if key[0] == _NUMBER:
            yield from _number_keys(Decimal(str(key[1])))
        elif text.startswith(("+", "00")):
            yield (f"national {kind}", _without_country(str(key[1])))


def _read_phone(match: _Match) -> list[_Found]:
    text = match.text()
    if not _is_phone(text) or match.reader.touches_word(match.match):
        return []
    readings, supports = [*_phone_keys(text)], [*_supported_phones(text)]
    supports += _supported_phones(text, "whole phone")
    # "020 7946 0018 24 hours a day": the last group may be another number, in one of the two.
    if _is_phone(shorter := text.rpartition(" ")[0] or "-"):
        readings += _phone_keys(shorter, "whole phone")
        supports += _supported_phones(shorter)
    return [match.found(FactKind.PHONE, readings, supports)]


def _is_phone(text: str) -> bool:
    groups = [len(group) for group in re.findall(r"\d+", text)]
    if re.fullmatch(r"\d+\.\d+", text):  # a decimal number
        return False
    if text[0] in "+(0":
        return _PHONE_DIGITS.start <= sum(groups) < _PHONE_DIGITS.stop + len("000")
    return sum(groups) in _PHONE_DIGITS and (
        sum(groups) >= _LONG or groups in ([3, 4], [2, 2, 2, 2])
    )


# Dates


_SHORT_YEAR = 2


def _years(text: str) -> list[int | None]:
    if not text:
        return [None]
    if len(text) == _SHORT_YEAR:
        return [2000 + int(text), 1900 + int(text)]
    return [int(text)]


def _is_date(year: int | None, month: int | None, day: int | None) -> bool:
    try:
        date(year or 2024, month or 1, day or 1)  # 2024 has a 29 February
    except ValueError:
        return False
    return year is None or _is_year(year)


def _read_weekdays(match: _Match) -> list[int | None]:
    word = match.word("w", "w2", "w3")
    if word is None:
        return [None]
    following = match.reader.following(match.match.end("w")) if match.has("w") else ""
    name = f" {match.text('w').casefold()} "
    is_uncertain = name in _UNCERTAIN_WEEKDAYS and not following.startswith(".")
    return [*sorted(word.weekdays), *([None] if is_uncertain else [])]


def _found_date(
    match: _Match, days: Iterable[tuple[int | None, int | None, int | None]]
) -> list[_Found]:
    """Return a date of the year, month and day that it may mean; none if there is no such day.

    A weekday that contradicts the rest is kept only if all readings have such a one.
    """
    weekdays = _read_weekdays(match)
    possible = [
        (*day, weekday) for day, weekday in product(dict.fromkeys(days), weekdays) if _is_date(*day)
    ]
    dates = tuple([each for each in possible if _agrees(*each)] or possible)
    if not dates:
        return []
    readings = tuple((FactKind.DATE, *each) for each in dates)
    return [match.found(FactKind.DATE, readings, (), dates)]


def _read_numeric_date(match: _Match) -> list[_Found]:
    """Read 03/04/2025 in both orders, and 03/04/05 with the year first as well."""
    a, b, y = match.text("a"), match.text("b"), match.text("y").strip()
    if match.has("year"):
        return _found_date(match, [(match.number("year"), int(b), int(a))])
    days = [day for year in _years(y) for day in ((year, int(b), int(a)), (year, int(a), int(b)))]
    if len(y) == _SHORT_YEAR:
        days += [(year, int(b), int(y)) for year in _years(a)]
    return _found_date(match, days)


def _read_weekday_date(match: _Match) -> list[_Found]:
    """Read "ma 24-11", but not hours: "Mon-Fri 9-5"."""
    is_range = match.text("sep") == "-" and int(match.text("a")) <= _NOON
    return [] if is_range else _read_numeric_date(match)


def _read_short_date(match: _Match) -> list[_Found]:
    """Read 3/14, but not a fraction or 24/7."""
    a, b = match.text("a"), match.text("b")
    is_fraction = int(a) <= int(b) and b in {"2", "3", "4", "5", "10"}
    return [] if is_fraction or (a, b) == ("24", "7") else _read_numeric_date(match)


def _read_dotted_date(match: _Match) -> list[_Found]:
    """Read "3.3." inside a sentence; at its end, 3.3 is a number."""
    following = match.reader.following(match.match.end()).lstrip(" ")
    is_inside = following[:1].islower() or following.startswith((",", ";", ":", ")", "."))
    return _read_numeric_date(match) if is_inside else []


def _read_named_date(match: _Match) -> list[_Found]:
    """Read a date with the month's name; a range such as "3–5 March" is two dates."""
    word = match.word("M", "v", "v2", "v3", "v4")
    months = sorted(word.months) if word else [match.number("b")]
    years = _years(match.text("y") or match.text("yy") or match.text("yy2"))
    if match.has("a1") and int(match.text("a1")) <= int(match.text("a")):
        return []
    if not all(year is None or _is_year(year) for year in years):
        years = [None]
    found = []
    for group in ("a0", "a", "a1") if match.has("a") else ("a",):
        if group == "a" or match.has(group):
            found += _found_date(match, product(years, months, [match.number(group)]))
    return found


def _read_weekday_pair(match: _Match) -> list[_Found]:
    found = []
    for group in ("w", "w2"):
        word = match.word(group)
        weekdays = sorted(word.weekdays) if word else []
        dates = tuple((None, None, None, weekday) for weekday in weekdays)
        readings = [(FactKind.DATE, *each) for each in dates]
        found.append(match.found(FactKind.DATE, readings, (), dates))
    return found


def _read_day(match: _Match) -> list[_Found]:
    return _found_date(match, [(None, None, match.number("a"))])


def _read_month(match: _Match) -> list[_Found]:
    if match.text("M").casefold() in _NOT_ALONE:
        return []
    return _read_named_date(match)


def _date_keys(dates: set[_Date], years: set[int]) -> Iterator[_Key]:
    """Yield every set of parts that agrees with one date of the input.

    A date without a year may get one of the input's years, and one without a weekday a weekday
    that stands elsewhere, as in `{"day": "Monday", "date": "3 March"}`.
    """
    years = years | {each[0] for each in dates if each[0]}
    alone = {each[3] for each in dates if each[:3] == (None, None, None)}
    completed = set(dates)
    for year, month, day, weekday in dates:
        if year is None and month and day:
            completed |= {(None, month, day, each) for each in alone if weekday is None}
            completed |= {
                (each, month, day, weekday) for each in years if _agrees(each, month, day, weekday)
            }
    for year, month, day, weekday in completed:
        whole = (year, month, day, weekday)
        if year and month and day and _agrees(*whole):
            whole = (year, month, day, date(year, month, day).weekday())
        for parts in product(*({part, None} for part in whole)):
            yield (FactKind.DATE, *parts)


def _agrees(year: int | None, month: int | None, day: int | None, weekday: int | None) -> bool:
    """Return whether there is such a date, as far as its parts are written."""
    if not (year and month and day):
        return True
    return _is_date(year, month, day) and weekday in (None, date(year, month, day).weekday())


# Times

_NOON, _HOURS, _MINUTES = 12, 24, 60


def _hour(hour: int, word: _Word | None) -> int:
    """Return an hour of the day from one before or after noon."""
    if word is None or hour > _NOON:
        return hour % _HOURS
    return hour % _NOON + (_NOON if word.is_pm else 0)


def _found_time(
    match: _Match, hours: Iterable[int], minute: int, second: int | None
) -> list[_Found]:
    readings = [
        (FactKind.TIME, hour, minute, second)
        for hour in hours
        if minute < _MINUTES and (second or 0) <= _MINUTES
    ]
    supports = [(*key[:3], part) for key in readings for part in (None, second or 0)]
    return [match.found(FactKind.TIME, readings, supports)] if readings else []


def _is_german_am(match: _Match) -> bool:
    """Return whether "am" is German: "Schicht 3 am Lager" or "am 5.", but not "3 am Monday"."""
    following = match.reader.following(match.match.end(), 20)
    word = re.match(r" (\d|[^\W\d_]+)", following)
    is_noun = word is not None and (word[1].isdecimal() or word[1].istitle())
    return (
        match.text("p2") == "am"
        and not match.has("i")
        and is_noun
        and re.match(r" \w+day\b", following) is None
    )


def _read_time(match: _Match) -> list[_Found]:
    """Read a time, or a range whose first hour may share the second's am or pm."""
    hour, minute = match.number("h") or 0, match.number("i") or (30 if match.has("half") else 0)
    if hour > _HOURS or _is_german_am(match):
        return []
    word = match.word("p", "p2")
    found = _found_time(match, [_hour(hour, word)], minute, match.number("s"))
    first = match.number("h0")
    if first is not None and first <= _HOURS:
        start = _hour(first, word)
        if word and first <= _NOON and start > _hour(hour, word):  # "9-5pm" begins at 9 am
            start = (start + _NOON) % _HOURS
        found += _found_time(match, [start], match.number("i0") or 0, None)
    return found


_CLOCK = r"(?P<h>[12])(?:[:.](?P<i>2))?"
_RANGE = r"(?:(?<![12345] )(?P<h0>[12])(?:[:.](?P<i0>2))?(?: ?- ?| ~B~ ))?"
_OFFSET = r"(?:[+-](?:2:2|4|2))?"
_BEFORE, _AFTER = r"(?<![12345][.:/-])(?<![:+])", r"(?![12345])(?![:.,/-][12345])"

_D = _DIGITS
_NOT_IN_NUMBER = rf"(?<!{_D}[./,:-])"

# How a match is read, types of which a match has one, and the expression. In the order in which the
# rules take tokens from a text: those of a number, then those of words.
_RULES: tuple[tuple[_Read, str, str], ...] = (
    # 2025-03-03T15:30:00.000+01:00: the time, so that the offset is not read as a time.
    (_read_time, "~t~", rf"(?<=~t~)(?P<h>2):(?P<i>2)(?::(?P<s>2)(?:[.,]{_D})?)?{_OFFSET}"),
    # 2025-03-03, 2025/03/03
    (
        _read_numeric_date,
        "4",
        (
            rf"{_WEEKDAY}(?<!{_D}[-/.])(?P<year>4)(?P<sep>[-/.])(?P<b>[12])(?P=sep)(?P<a>[12])"
            rf"(?!(?P=sep){_D}){_WEEKDAY_AFTER}"
        ),
    ),
    # 3.3.2025, 3. 3. 25, 03/04/2025
    (
        _read_numeric_date,
        "-/.",
        (
            rf"{_WEEKDAY}(?<!{_D}[./,:])(?<![12]-[12]-)(?P<a>[12])(?P<sep>[-/.]) ?(?P<b>[12])"
            rf"(?P=sep)(?P<y> ?4|2)(?!(?P=sep){_D}|[.,:]{_D}){_WEEKDAY_AFTER}"
        ),
    ),
    # Mon, 3rd of March 2025; vom 3. bis 5. März
    (
        _read_named_date,
        "~Mmv~",
        (
            rf"{_WEEKDAY}(?:(?<!~S~)(?<!~S~ )(?<![.,:/])(?P<a0>[12])(?:~O~|\.)?(?:-| ~B~ ))?"
            r"(?P<a>[12])(?:\.|~O~\.?)?[ -]?"
            rf"(?:~F~[ '])?{_MONTH}(?:[ ,-]{{1,2}}(?:~F~ )?(?P<y>4)|-(?P<yy>2)| '(?P<yy2>2))?"
            rf"{_WEEKDAY_AFTER}"
        ),
    ),
    # March 3rd, 2025; March 3-5
    (
        _read_named_date,
        "~E~",
        (
            rf"{_WEEKDAY}(?P<M>~E~)\.? (?:~D~ )?(?P<a>[12])(?:~O~)?"
            r"(?:-(?P<a1>[12])(?:~O~)?(?! ?~A~))?(?:,? (?P<y>4))?"
            rf"(?![:./-]?{_D}| ?~A~)"
        ),
    ),
    # March 2025
    (_read_named_date, "~Mmv~", rf"{_WEEKDAY}{_MONTH},? (?:~F~ )?(?P<y>4)"),
    # 2025年3月3日(月), 3月3日-5日, 3日(月)
    (
        _read_named_date,
        "~月~",
        (
            r"(?:(?P<y>4)~年~ ?)?(?P<b>[12])~月~(?: ?(?P<a>[12])~日~(?:-(?P<a1>[12])~日~)?)?"
            rf"(?!~間~){_WEEKDAY_AFTER}"
        ),
    ),
    (_read_day, "~日~", r"(?P<a>[12])~日~ ?(?:\((?P<w2>~w~)\)|(?P<w3>~W~))"),
    # Mon 3/3; 3/3(月), 3/14, am 3.3.
    (
        _read_weekday_date,
        "~Ww~",
        (
            rf"(?P<w>~Ww~)[.,]{{0,2}} (?P<a>[12])(?P<sep>[-./])(?P<b>[12])\.?{_AFTER}"
            r"(?! ?~AUuH~)"
        ),
    ),
    (_read_numeric_date, "/", rf"{_NOT_IN_NUMBER}(?P<a>[12])/(?P<b>[12]) ?\((?P<w2>~w~)\.?\)"),
    (
        _read_short_date,
        "/",
        rf"{_NOT_IN_NUMBER}(?P<a>[12])/(?P<b>[12])(?!/?{_D}| ?(?:%|~C~)|[.,:]{_D})",
    ),
    (_read_numeric_date, "~D~", rf"(?<=~D~ )(?P<a>[12])\. ?(?P<b>[12])\.(?!{_D})"),
    (_read_dotted_date, ".", rf"{_NOT_IN_NUMBER}(?P<a>[12])\.(?P<b>[12])\.(?!{_D})"),
    # £1,200-1,500; 1,5 Mio. €; 50-Euro; 12,- €; mil millones de euros
    (
        _read_amount,
        "~S~",
        (
            rf"(?:(?<!{_D})(?<!{_D} )(?<!~X~ )(?<!~X~\. )(?P<c>~S~)\.? ?|(?P<c2>~S~))"
            rf"(?P<n>{_NUM})(?!:{_D})(?: ?(?P<x>~X~))?"
            rf"(?:-(?:~S~ ?)?(?P<n2>{_NUM})(?: ?(?P<x2>~X~))?)?"
        ),
    ),
    (
        _read_amount,
        "~C~",
        (
            rf"(?P<n>{_NUM})(?: ?(?P<x>~X~)\.?)?(?:-(?P<n2>{_NUM})(?: ?(?P<x2>~X~)\.?)?)?"
            rf"(?:,--?)?[ -]?(?:~F~[ '])?(?P<c>~C~)(?!{_D})"
        ),
    ),
    # The same, in two lines.
    (_read_amount, "~S~", rf"(?P<c>~S~)\.? ?\n{{1,2}} ?(?P<n>{_NUM})(?!:{_D})(?: ?(?P<x>~X~))?"),
    (_read_amount, "~C~", rf"(?P<n>{_NUM})(?: ?(?P<x>~X~)\.?)? ?\n{{1,2}} ?(?P<c>~C~)(?!{_D})"),
    (_read_minor_amount, "~P~", rf"(?P<n>{_NUM}) ?~P~"),
    (_read_minor_amount, "~p~", r"(?<![.,'])(?P<n>2)~p~(?!\.|~L~)"),
    (_read_percentage, "%~%~", rf"(?P<n>{_NUM})(?:-(?P<n2>{_NUM}))? ?(?:%|~%~)"),
    # 3:30 pm; 9-11am; and "3 am", unless it is German: "Schicht 3 am 5. März"
    (
        _read_time,
        "~A~",
        (
            rf"{_BEFORE}{_RANGE}{_CLOCK}(?::(?P<s>2))?(?: ~H~)?"
            r"(?:(?P<p>~A~)| (?P<p2>~A~))"
        ),
    ),
    # 15 Uhr, 午後3時半, 15:30:00+01:00, 15h30, 15.30 uur, à 15h, ore 10.30, godz. 15
    (_read_time, "~U~", rf"{_BEFORE}{_RANGE}{_CLOCK} ?~U~"),
    (
        _read_time,
        "~時~",
        r"(?:(?P<p>~A~) ?)?(?P<h>[12])~時~(?: ?(?P<i>[12])~分~|(?P<half>~半~))?(?!~間~)",
    ),
    (
        _read_time,
        ":",
        (
            rf"{_BEFORE}(?:(?P<p>~A~) ?)?(?P<h>[12]):(?P<i>2)"
            rf"(?::(?P<s>2)(?:[.,]{_D})?{_OFFSET})?(?!:?{_D})"
        ),
    ),
    (
        _read_time,
        "~H~",
        (
            rf"{_BEFORE}(?P<h>[12]) ?~H~ ?(?P<i>2)(?!{_D})"
            r"(?: ?~n~)?(?: (?P<s>2) ?~s~)?(?: (?P<p>~A~))?"
        ),
    ),
    (_read_time, "~u~", rf"{_BEFORE}(?P<h>[12])\.(?P<i>2) ?~u~"),
    (_read_time, "~u~", r"(?<=~T~ )(?P<h>[12]) ?~u~(?!~L~)"),
    (_read_time, "~K~", rf"(?<=~K~ )(?P<h>[12])\.(?P<i>2){_AFTER}(?! ?(?:%|~C~))"),
    (_read_time, "~k~", rf"~k~\.? (?P<h>[12]){_AFTER}(?! ?(?:%|~C~))"),
    (
        _read_phone,
        "12345",
        rf"(?<!{_D}[ .()/-])(?:\+ ?)?\(?{_D}(?:(?:[ .()/-]{{1,2}}| / ){_D}){{0,19}}",
    ),
    # Monday the 3rd; lundi 3 à 15h
    (_read_day, "~Ww~", rf"(?P<w>~Ww~)[.,]{{0,2}} ?(?:~D~ )?(?P<a>[12])(?:~O~|\.)(?!{_D})"),
    (
        _read_day,
        "~W~",
        rf"(?P<w>~W~)[.,]{{0,2}} (?:~D~ )?(?P<a>[12])(?=[,;)!?\n]|$|\.(?!{_D})| ~TZ~)",
    ),
    # Mo-Fr; Monday; April
    (_read_weekday_pair, "~Ww~", r"(?P<w>~Ww~)\.? ?- ?(?P<w2>~Ww~)"),
    (_read_day, "~W~", r"(?P<w>~W~)"),
    (_read_month, "~M~", r"(?P<M>~M~)"),
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule, for the types of tokens that the table has.

    Attributes:
        read: Reads a match.
        needs: Types of tokens; a match has one of them.
        pattern: An expression over the types.
    """

    read: _Read
    needs: frozenset[str]
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Grammar:
    """The rules, for the types of tokens that the table has.

    Attributes:
        types: The type of a token with these roles.
        rules: The rules, in their order.
        number: A number.
    """

    types: Mapping[frozenset[str], str]
    rules: Sequence[_Rule]
    number: re.Pattern[str]


_ROLES_IN_RULE = re.compile("~(.+?)~")


@cache
def _grammar() -> _Grammar:
    sets = {frozenset(word.roles) for word in _table().words.values()}
    sets |= {frozenset("CS"), frozenset("S"), frozenset("MmE")}
    types = {roles: chr(0xE000 + index) for index, roles in enumerate(sorted(sets, key=sorted))}

    def with_roles(match: re.Match[str]) -> str:
        return "".join(each for roles, each in types.items() if roles & set(match[1]))

    def members(match: re.Match[str]) -> str:
        return f"[L{''.join(types.values())}]" if match[1] == "L" else f"[{with_roles(match)}]"

    def expanded(pattern: str) -> re.Pattern[str]:
        return re.compile(_ROLES_IN_RULE.sub(members, pattern))

    return _Grammar(
        types,
        [
            _Rule(read, frozenset(_ROLES_IN_RULE.sub(with_roles, needs)), expanded(pattern))
            for read, needs, pattern in _RULES
        ],
        expanded(rf"(?<!_)(?<!~L~)(?<!~L~-){_NUM}(?!_|~L~)"),
    )


@lru_cache(maxsize=1000)
def _rules_for(types: frozenset[str]) -> tuple[_Rule, ...]:
    """Return the rules that may match tokens of these types."""
    return tuple(rule for rule in _grammar().rules if not rule.needs.isdisjoint(types))


class _Reader:
    """Finds the facts of one text."""

    def __init__(self, text: str) -> None:
        self._visible = visible(text)
        self._plain = _simplified(self._visible)
        self.found: list[_Found] = []
        self.starts: list[int] = []
        self.words: list[_Word | None] = []
        self._types = ""
        self._find_links()
        tokens = _table().split(self._plain)
        names = list(map(str.casefold, tokens))
        if _table().calendar.isdisjoint(names) and not _DIGIT.search(self._plain):
            return
        self._types = self._tokenized(tokens, names)
        for rule in _rules_for(frozenset(self._types)):
            self._apply(rule)

    def slice(self, start: int, end: int) -> str:
        """Return the simplified text of some tokens."""
        return self._plain[self.starts[start] : self.starts[end]]

    def written(self, start: int, end: int) -> str:
        """Return the visible text of some tokens."""
        return self._visible[self.starts[start] : self.starts[end]]

    def following(self, token: int, count: int = 2) -> str:
        """Return so many characters from a token on, or fewer at the end."""
        return self._visible[self.starts[token] : self.starts[token] + count]

    def touches_word(self, match: re.Match[str]) -> bool:
        """Return whether a match is a part of a name such as A1234."""
        start, end = match.span()
        around = self._plain[max(0, self.starts[start] - 1) : self.starts[start]]
        around += self._plain[self.starts[end] : self.starts[end] + 1]
        return bool(re.search(r"\w", _JAPANESE.sub("", around)))

    def numbers(self) -> Iterator[Decimal]:
        """Yield the values of the numbers that are no part of a fact, nor of a name."""
        for match in _grammar().number.finditer(self._types):
            yield from _values(self.slice(*match.span()))

    def _find_links(self) -> None:
        if not _LINK_MARK.search(self._plain):
            return
        for pattern, read in (
            (_URL, _read_url),
            (_EMAIL, _read_email),
            (_DOMAIN, _read_domain),
            (_IP_ADDRESS, _read_url),
        ):
            links = []
            for match in pattern.finditer(_JAPANESE.sub("\0", self._plain)):
                # As written: all dashes are one in the simplified text, but not in a host.
                written = self._visible[slice(*match.span())].replace("\u3002", ".")
                japanese = _JAPANESE.match(self._visible, match.end())
                rest = _REST.match(self._visible, match.end()) if japanese else None
                if link := read(written, rest[0] if rest else ""):
                    self.found.append(replace(link, start=match.start()))
                    links.append((match.start(), match.start() + len(link.text)))
            self._plain = _masked(self._plain, links)

    def _tokenized(self, tokens: Sequence[str], names: Sequence[str]) -> str:
        """Return the tokens' types.

        Args:
            tokens: The tokens of the simplified text.
            names: The same without case.
        """
        types: list[str] = []
        known = _table().known
        has_currency = _CURRENCY.search(self._plain) is not None
        position = start = 0
        while position < len(tokens):
            text = tokens[position]
            end, word = position + 1, None
            if names[position] in known or (has_currency and _is_foreign_money(text)):
                end, word = self._phrase(tokens, names, position)
                text = "".join(tokens[position:end])
            self.starts.append(start)
            self.words.append(word)
            types.append(_type(text, word))
            start += len(text)
            position = end
        self.starts.append(start)
        return "".join(types)

    def _phrase(
        self, tokens: Sequence[str], names: Sequence[str], position: int
    ) -> tuple[int, _Word | None]:
        """Return the longest phrase of the table that begins at a token: its end and its word."""
        table = _table()
        best = position + 1, table.look_up(tokens[position])
        if names[position] not in table.starts:
            return best
        words, end = [names[position]], position + 1
        while len(words) < _LONGEST_PHRASE:
            gap = end
            while gap < min(end + 2, len(tokens)) and tokens[gap] in ". -":
                gap += 1
            if gap == end or gap >= len(tokens):
                break
            words.append(names[gap])
            end = gap + 1
            if word := table.words.get(" ".join(words)):
                best = end, word
        return best

    def _apply(self, rule: _Rule) -> None:
        spans = []
        for match in rule.pattern.finditer(self._types):
            if found := rule.read(_Match(self, match)):
                self.found += found
                spans.append(match.span())
        self._types = _masked(self._types, spans)


def _masked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return a text with NULs in place of some parts."""
    if not spans:
        return text
    masked = list(text)
    for start, end in spans:
        masked[start:end] = "\0" * (end - start)
    return "".join(masked)


def _is_foreign_money(token: str) -> bool:
    """Return whether a token is letters and a sign such as US$, which may not be in the table."""
    return len(token) > 1 and not (token.isalnum() or token.isspace())


def _type(text: str, word: _Word | None) -> str:
    if text[0] in "0123456789":
        return str(min(len(text), 5))
    if word:
        return _grammar().types[frozenset(word.roles)]
    if text.isalpha():
        return "J" if _JAPANESE.match(text) else "L"
    return text[0]
