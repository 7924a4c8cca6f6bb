"""Writes the words of dates, times and amounts in ten languages, and the top-level domains.

Run as `python -m tests.facts tables`, after an update of Babel (CLDR) or tldextract (the public
suffix list, of which the one-label suffixes are used).
"""

import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel import Locale
from babel.core import get_global
from tldextract import TLDExtract

LOCALES = ("en_GB", "en_US", "de", "fr", "es", "it", "pt_BR", "nl", "pl", "ja")
CORE = Path(__file__).resolve().parents[2] / "lambda_src" / "core"
TABLES = CORE / "drafts" / "facts_locale.json"
WIDTH = 100
"""Characters of a line in the file."""

NAMED_CURRENCIES = (
    "AED ARS AUD BRL CAD CHF CLP CNY COP CZK DKK EUR GBP HKD HUF IDR ILS INR ISK JPY KRW MXN MYR"
    " NOK NZD PEN PHP PLN RON RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR"
)
"""Currencies whose names are recognized; of all others the codes and symbols are."""
NOT_CODES = {"ALL", "TOP", "CUP"}
"""Codes that are words in capitals: "TOP 10"."""
NOT_NAMES = (
    "real reals reale reali réal won wony lei lej leje leja leu rand sol sola sole soles soli sols"
    " bat bats juan juana frank franco corona korona livre livres nieuwe nouveau nouveaux novo"
    " novos nowe nowego nowy nowych nuevo nuevos nuovi nuovo"
)
"""Words of currencies' names that have other meanings before or after a number."""
HEAD_FIRST = {"fr", "es", "it", "pt_BR", "pl"}
"""Languages that say "pounds British"."""
ABBREVIATIONS = {
    "Bs": "BOB VES",
    "Dhs": "AED",
    "KSh": "KES",
    "Ksh": "KES",
    "Rp": "IDR",
    "Rs": "INR LKR MUR NPR PKR",
    "Tk": "BDT",
}
"""Abbreviations before an amount, "Rs. 500", as they are written: in capitals they mean others."""
LOWER_CASE = "brl chf eur gbp inr jpy pln usd"
"""Codes that are no words in small letters."""
MINOR_UNITS = (
    "¢ ct cent cents pence penny eurocent eurocents centime centimes céntimo céntimos centesimo"
    " centesimi centavo centavos grosz grosze groszy pfennig rappen øre öre"
)
PERCENT = (
    "percent|per cent|pct|prozent|pour cent|por ciento|por cento|per cento|procent|procenta|proc"
    "|パーセント|percentage points|prozentpunkte"
)
# What CLDR lacks: inflected names, names in common use, and plurals.
MORE_MONTHS = {
    1: "jänner styczniu",
    2: "lutym",
    3: "marcu",
    4: "kwietniu",
    5: "maju",
    6: "czerwcu",
    7: "lipcu",
    8: "sierpniu",
    9: "wrześniu",
    10: "październiku",
    11: "listopadzie",
    12: "grudniu",
}
MORE_SHORT_MONTHS = {1: "jän", 3: "mär mrz", 6: "juni", 7: "juli juill", 9: "sept", 10: "paz"}
MORE_WEEKDAYS = {
    0: "月曜 poniedziałku poniedziałki",
    1: "火曜 wtorku wtorki",
    2: "水曜 środę środy",
    3: "木曜 czwartku czwartki",
    4: "金曜 piątku piątki",
    5: "土曜 sonnabend sábados sabados sobotę soboty",
    6: "日曜 domingos niedzielę niedzieli",
}
MORE_SHORT_WEEKDAYS = {
    0: "segunda",
    1: "tues terça",
    2: "weds quarta",
    3: "thur thurs quinta",
    4: "sexta",
}
WEEKDAY_ENDINGS = {
    "en_GB": "s",
    "pt_BR": "s",
    "fr": "s",
    "de": "s morgen vormittag mittag nachmittag abend nacht",
    "nl": "s ochtend middag avond nacht",
}
AM, PM = "am", "pm"
MORE_DAY_PERIODS = {AM: "午前", PM: "午後"}


def write_tables() -> None:
    """Write the file."""
    tables = {
        "months": _calendar("months", "wide", MORE_MONTHS, {}),
        "short_months": _calendar("months", "abbreviated", MORE_SHORT_MONTHS, {}),
        "english_months": " ".join(_english_months()),
        "weekdays": _calendar("days", "wide", MORE_WEEKDAYS, WEEKDAY_ENDINGS),
        "short_weekdays": _short_weekdays(),
        "day_periods": _day_periods(),
        "multipliers": _multipliers(),
        "percent": PERCENT,
        "minor_units": MINOR_UNITS,
        "codes": " ".join(_codes()),
        "abbreviations": ABBREVIATIONS,
        "symbols": _symbols(),
        "currencies": _currencies(),
        "domains": " ".join(_domains()),
    }
    TABLES.write_text(_wrapped(tables), "utf-8")


def key(name: str) -> str:
    """Return a name as the runtime compares it: its words in lower case, single spaces between."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(re.findall(r"[^\W\d_]+", folded))


def _spellings(name: str) -> set[str]:
    """Return a name's key, also without diacritics, as in text messages."""
    decomposed = unicodedata.normalize("NFD", name.replace("ł", "l").replace("ß", "ss"))
    plain = "".join(each for each in decomposed if not unicodedata.combining(each))
    has_kana = any("\u3040" <= each <= "\u9fff" for each in name)
    return {key(name)} if has_kana else {key(name), key(plain)}


_JAPANESE_MONTH = {"months": {"月"}, "days": set[str]()}


def _calendar(
    table: str, width: str, more: Mapping[int, str], endings: Mapping[str, str]
) -> dict[str, str]:
    """Return the names of months or weekdays by number; a Japanese month is a number."""
    names: dict[int, set[str]] = defaultdict(set)
    for locale in LOCALES:
        for form in ("format", "stand-alone"):
            for number, name in getattr(Locale.parse(locale), table)[form][width].items():
                for ending in ("", *endings.get(locale, "").split()):
                    names[number] |= _spellings(name + ending)
    for number, words in more.items():
        for word in words.split():
            names[number] |= _spellings(word)
    return {
        str(number): "|".join(sorted(names[number] - {"", *_JAPANESE_MONTH[table]}))
        for number in sorted(names)
    }


def _short_weekdays() -> dict[str, str]:
    abbreviated = _calendar("days", "abbreviated", MORE_SHORT_WEEKDAYS, {})
    short = _calendar("days", "short", {}, {})
    return {
        number: "|".join(sorted({*names.split("|"), *short[number].split("|")} - {""}))
        for number, names in abbreviated.items()
    }


def _english_months() -> Iterator[str]:
    locale = Locale.parse("en_GB")
    for width in ("wide", "abbreviated"):
        yield from (key(name) for name in locale.months["format"][width].values())
    yield "sep"


def _day_periods() -> dict[str, str]:
    found = {period: {period, *names.split()} for period, names in MORE_DAY_PERIODS.items()}
    for locale in LOCALES:
        for form in Locale.parse(locale).day_periods.values():
            for names in form.values():
                for period, words in found.items():
                    words.update([key(names[period])] if period in names else [])
    return {
        period: "|".join(sorted(word for word in words if len(word) > 1))
        for period, words in found.items()
    }


def _multipliers() -> dict[str, str]:
    """Return the words of powers of ten; one word may be different powers in two languages."""
    found: dict[int, set[str]] = defaultdict(set)
    for locale in LOCALES:
        formats = Locale.parse(locale).compact_decimal_formats
        for width in ("short", "long"):
            for by_power in formats[width].values():
                for power, pattern in by_power.items():
                    text = pattern.pattern
                    exponent = round(math.log10(int(power))) - text.count("0") + 1
                    found[exponent] |= _spellings(text.replace("0", "")) if exponent else set()
    found[4] = {"万"}  # and not "10 mille", which are 10,000
    for exponent, words in {
        3: "tsd|grand",
        5: "lakh|lakhs",
        7: "cr|crore|crores",
        6: "mn|mill|mill|mio",
        9: "bn|mrd",
    }.items():
        found[exponent] |= set(words.split("|"))
    return {str(power): "|".join(sorted(found[power] - {""})) for power in sorted(found) if power}


def _codes() -> list[str]:
    """Return the codes of all currencies that are legal tender somewhere today."""
    territories = get_global("territory_currencies").values()
    now = datetime.now(UTC).timetuple()[:3]
    current = {
        code
        for entries in territories
        for code, _, end, is_tender in entries
        if is_tender and (end is None or tuple(end) > now)
    }
    return sorted(current - NOT_CODES)


def _symbols() -> dict[str, str]:
    """Return each symbol's currencies; a narrow symbol such as "$" has several."""
    found: dict[str, set[str]] = defaultdict(set)
    for locale in LOCALES:
        for code, symbol in Locale.parse(locale).currency_symbols.items():
            if symbol != code and code in _CODES:
                found[_symbol_key(symbol)].add(code)
    for code, symbols in {
        "AUD": "$ A$ AU$",
        "BRL": "R$",
        "CAD": "$ C$ CA$",
        "CHF": "SFr",
        "CNY": "¥ CN¥",
        "CZK": "Kč",
        "DKK": "kr",
        "GBP": "£",
        "HKD": "$ HK$",
        "JPY": "¥ 円",
        "MXN": "$ MX$",
        "NOK": "kr",
        "NZD": "$ NZ$",
        "PLN": "zł zl",
        "RON": "lei",
        "SEK": "kr",
        "SGD": "$ S$",
        "USD": "$ US$",
    }.items():
        for symbol in symbols.split():
            found[_symbol_key(symbol)].add(code)
    for code in LOWER_CASE.split():
        found[code].add(code.upper())
    return {
        symbol: " ".join(sorted(found[symbol])) for symbol in sorted(found) if symbol not in _UNFIT
    }


def _symbol_key(symbol: str) -> str:
    return re.sub(r"[\s.\u200b-\u200f]", "", unicodedata.normalize("NFKC", symbol)).casefold()


_CODES = set(_codes())
_UNFIT = {
    "",
    "ft",
    "fr",
    "r",
    "k",
    "l",
    "s",
    "e",
    "d",
    "db",
    "fc",
    "rs",
    "p",
    "lt",
    "m",
    "g",
    "t",
    "bs",
    "lei",
}


def _currencies() -> dict[str, str]:
    """Return the names of currencies, and their nouns alone, which several may share."""
    names: dict[str, set[str]] = defaultdict(set)
    for locale in LOCALES:
        parsed = Locale.parse(locale)
        for code in NAMED_CURRENCIES.split():
            plurals = get_plurals(parsed, code)
            for name in {parsed.currencies[code], *plurals}:
                for spelling in _spellings(name):
                    names[spelling].add(code)
                for noun in _nouns(locale, name):
                    names[noun].add(code)
    names["zl"].add("PLN")
    names["円"].add("JPY")
    return {
        name: " ".join(sorted(names[name]))
        for name in sorted(names)
        if name not in NOT_NAMES.split()
    }


def get_plurals(locale: Locale, code: str) -> Iterable[str]:
    """Return the plural forms of a currency's name."""
    names: Mapping[str, Mapping[str, str]] = locale._data["currency_names_plural"]
    return names.get(code, {}).values()


def _nouns(locale: str, name: str) -> Iterator[str]:
    """Yield "dollars" for "US dollars"; Japanese names end with it, in katakana."""
    if locale == "ja":
        yield from re.findall(r"[ァ-ヴー]+$", unicodedata.normalize("NFKC", name))
        return
    for spelling in _spellings(name):
        words = spelling.split()
        yield words[0 if locale in HEAD_FIRST else -1]


def _domains() -> list[str]:
    """Return the top-level domains, and those reserved for examples and private networks."""
    suffixes = TLDExtract(suffix_list_urls=()).tlds
    reserved = {"example", "invalid", "internal", "local", "localhost", "onion", "test"}
    return sorted({each for each in suffixes if "." not in each} | reserved)


def _wrapped(tables: Mapping[str, Any]) -> str:
    """Return JSON with a table's entries in lines of limited length."""
    parts = []
    for name, table in tables.items():
        if isinstance(table, str):
            parts.append(f"{json.dumps(name)}: {json.dumps(table, ensure_ascii=False)}")
            continue
        pairs: Callable[[str, str], str] = lambda k, v: (  # noqa: E731 - used once, below
            f"{json.dumps(k, ensure_ascii=False)}: {json.dumps(v, ensure_ascii=False)}"
        )
        lines, line = [], ""
        for entry in (pairs(k, v) for k, v in table.items()):
            if line and len(line) + len(entry) > WIDTH:
                lines.append(line)
                line = ""
            line += f"{entry}, " if entry else ""
        body = "\n".join(["  " + each.rstrip() for each in [*lines, line]]).rstrip(", ")
        parts.append(f"{json.dumps(name)}: {{\n{body}\n}}")
    return "{\n" + ",\n".join(parts) + "\n}\n"
