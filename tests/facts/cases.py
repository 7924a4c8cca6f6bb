"""Generates inputs and texts from locale data: CLDR (Babel) and Google's phone number metadata.

A case is one value: spelled in one language in the text and otherwise in the input, and another
value of the same kind, which the input does not support.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import phonenumbers
from babel import Locale, dates, numbers

from lambda_src.core.drafts.facts import FactKind
from tests.facts.rates import Case
from tests.facts.tables import LOCALES

SEED = 16
FRAMES = {
    "en": ("Hi Anna, {}.", "We noted {} for you, is that right?", "It is {}, as agreed."),
    "de": ("Hallo Anna, {}.", "Wir haben {} notiert, passt das?", "Es bleibt bei {}, wie gesagt."),
    "fr": ("Bonjour Anna, {}.", "Nous avons noté {} pour vous, c'est bien ?", "C'est {}, oui."),
    "es": ("Hola Anna, {}.", "Hemos anotado {} para ti, ¿es correcto?", "Será {}, como acordamos."),
    "it": ("Ciao Anna, {}.", "Abbiamo annotato {} per te, va bene?", "Resta {}, come concordato."),
    "pt": ("Olá Anna, {}.", "Anotamos {} para você, está certo?", "Fica {}, como combinado."),
    "nl": ("Hallo Anna, {}.", "We hebben {} genoteerd, klopt dat?", "Het blijft {}, zoals gezegd."),
    "pl": ("Cześć Anno, {}.", "Zapisaliśmy {} dla Ciebie, zgadza się?", "To {}, jak ustalono."),
    "ja": ("アンナ様、{}。", "{}でよろしいでしょうか。", "予定は{}です。"),
}
"""Sentences around a fact, by language."""
PERCENT_WORDS = {
    "en": " percent",
    "de": " Prozent",
    "fr": " pour cent",
    "es": " por ciento",
    "it": " per cento",
    "pt": " por cento",
    "nl": " procent",
    "pl": " procent",
    "ja": "パーセント",
}
VARIANTS = (
    "en_IN en_CA en_AU en_IE en_ZA de_AT de_CH fr_CA fr_CH fr_BE es_MX es_AR es_CO pt_PT nl_BE"
    " it_CH"
)
"""The same languages in other countries, from which the runtime's words do not come."""
COUNTRIES = {"de": "DE", "fr": "FR", "es": "ES", "it": "IT", "nl": "NL", "pl": "PL", "ja": "JP"}
CURRENCIES = ("GBP", "EUR", "USD", "PLN", "JPY", "BRL", "CHF")
SKELETONS = "yMMMd yMMMMd MMMd MMMMd MEd MMMEd MMMMEd yMMMEd yMMMMEEEEd yMEd yMd yMMMM Md"
TIME_SKELETONS = ("Hm", "Hms", "hm", "hms", "h", "H")
DOMAINS = ("com", "org", "co.uk", "de", "fr", "es", "it", "com.br", "nl", "pl", "co.jp", "example")
SYLLABLES = ("ba", "ko", "li", "mer", "ta", "no", "ris", "vel", "du", "san", "po", "kin", "ra")


class _Generator:
    """Generates the cases of one kind and locale."""

    def __init__(self, kind: FactKind, locale: str) -> None:
        self.random = random.Random(f"{SEED} {kind} {locale}")  # noqa: S311 - repeatable cases
        self.kind, self.locale = kind, locale
        self.parsed = Locale.parse(locale)
        self.foreign = self.locale

    def cases(self, count: int) -> Iterator[Case]:
        """Yield so many cases, a third of them among two facts of other kinds and a number."""
        for _ in range(count):
            source, text, changed = self._value(self.kind)
            frame = self.random.choice(FRAMES[self.locale[:2]])
            other = self.random.choice(FRAMES[self.foreign[:2]])
            if self.random.random() < 0.5:
                source = other.format(source)
            if self.random.random() < 0.3:
                kinds = self.random.sample([each for each in FactKind if each != self.kind], 2)
                others = [self._value(kind) for kind in kinds]
                source = "\n".join([source, *(each[0] for each in others)])
                items = [f"{self.random.randrange(2, 60)} x", "{}", *(each[1] for each in others)]
                self.random.shuffle(items)
                frame = frame.format(self.random.choice((", ", "; ", " - ", ": ")).join(items))
            yield Case(
                self.kind.value, self.locale, source, frame.format(text), frame.format(changed)
            )

    def _value(self, kind: FactKind) -> tuple[str, str, str]:
        """Return a value as in the input and in the text, and another one as in the text."""
        value: Callable[[], tuple[str, str, str]] = getattr(self, f"_{kind.name.lower()}")
        while True:
            self.foreign = self.random.choice([each for each in LOCALES if each != self.locale])
            source, text, changed = value()
            if text and text != changed:
                return source, text, changed

    # dates and times

    def _moment(self) -> datetime:
        start = datetime(2025, 1, 1)  # noqa: DTZ001 - a time on the wall
        return start + timedelta(
            days=self.random.randrange(900), minutes=5 * self.random.randrange(288)
        )

    def _spell_date(self, moment: datetime, locale: str, form: str) -> str:
        if form in ("full", "long", "medium", "short"):
            return str(dates.format_date(moment.date(), form, locale=locale))
        if form not in Locale.parse(locale).datetime_skeletons:
            return ""
        return str(dates.format_skeleton(form, moment, locale=locale))

    def _date(self) -> tuple[str, str, str]:
        moment = self._moment()
        form = self.random.choice(("full", "long", "medium", "short", *SKELETONS.split()))
        text = self._spell_date(moment, self.locale, form)
        other = self._moment()
        if self.random.random() < 0.5:  # a near day
            other = moment + timedelta(days=self.random.choice((-7, -2, -1, 1, 2, 3, 7)))
        if self.random.random() < 0.2:  # the same day in another year, with another weekday
            other = moment.replace(day=min(moment.day, 28), year=moment.year + 1)
            moment = moment.replace(day=min(moment.day, 28))
            text = self._spell_date(moment, self.locale, form)
        changed = self._spell_date(other, self.locale, form)
        source = self.random.choice(
            [
                moment.date().isoformat(),
                moment.isoformat(timespec="seconds") + "Z",
                self._spell_date(moment, self.foreign, self.random.choice(["full", "long"])),
                self._spell_date(moment, self.foreign, self.random.choice(["medium", "yMd"])),
            ]
        )
        return source, text, changed

    def _spell_time(self, moment: datetime, locale: str, form: str) -> str:
        if form in ("short", "medium"):
            return str(dates.format_time(moment.time(), form, locale=locale))
        if form not in Locale.parse(locale).datetime_skeletons:
            return ""
        return str(dates.format_skeleton(form, moment, locale=locale))

    def _time(self) -> tuple[str, str, str]:
        moment = self._moment()
        form = self.random.choice(("short", "short", "medium", *TIME_SKELETONS))
        if form in {"h", "H"}:
            moment = moment.replace(minute=0)
        text = self._spell_time(moment, self.locale, form)
        if text.isdecimal():  # an hour without a unit is not checked
            return "", "", ""
        hours = self.random.choice((1, 2, 12, 12, 5))
        other = moment + timedelta(hours=hours)
        if self.random.random() < 0.3 and form not in {"h", "H"}:
            other = moment + timedelta(minutes=self.random.choice((5, 15, 30)))
        source = self.random.choice(
            [
                moment.strftime("%H:%M"),
                moment.isoformat(timespec="seconds") + "+02:00",
                self._spell_time(moment, self.foreign, "short"),
                self._spell_time(moment, self.random.choice(["en_US", "ja", "es"]), "hm"),
            ]
        )
        return source, text, self._spell_time(other, self.locale, form)

    # amounts and percentages

    def _spell_amount(self, value: Decimal, code: str, locale: str, form: str) -> str:
        if form == "compact":
            return str(
                numbers.format_compact_currency(value, code, locale=locale, fraction_digits=1)
            )
        if form == "name":
            return str(numbers.format_currency(value, code, locale=locale, format_type="name"))
        pattern = {"code": "¤¤ #,##0.00", "code after": "#,##0.00 ¤¤"}.get(form)
        return str(numbers.format_currency(value, code, pattern, locale=locale))

    def _amount(self) -> tuple[str, str, str]:
        code = self.random.choice(CURRENCIES)
        form = self.random.choice(
            ("standard", "standard", "standard", "name", "code", "code after", "compact")
        )
        value = Decimal(self.random.randrange(100, 10 ** self.random.choice((4, 6, 8)))) / 100
        if code == "JPY":
            value = value.to_integral_value()
        if form == "compact":
            value = Decimal(self.random.randrange(11, 99)) * 10 ** self.random.choice((5, 6))
        text = self._spell_amount(value, code, self.locale, form)
        sources = [
            self._spell_amount(value, code, self.foreign, "standard"),
            self._spell_amount(value, code, self.foreign, "name"),
            f"{code} {value}",
        ]
        is_named = self.random.random() < 0.7
        source = self.random.choice(sources) if is_named else f"{value.normalize():f}"
        if is_named and self.random.random() < 0.4:
            other = self.random.choice([each for each in CURRENCIES if each != code])
            if "JPY" in (code, other):
                value = value.to_integral_value()
            return source, text, self._spell_amount(value, other, self.locale, form)
        digits = str(value)
        places = [place for place, digit in enumerate(digits) if digit.isdigit()]
        if form == "compact":
            places = [0, 1]
        place = self.random.choice(places)
        digit = self.random.choice([each for each in "123456789" if each != digits[place]])
        changed = Decimal(digits[:place] + digit + digits[place + 1 :])
        return source, text, self._spell_amount(changed, code, self.locale, form)

    def _spell_percentage(self, value: Decimal, locale: str) -> str:
        pattern = Locale.parse(locale).percent_formats[None].pattern.replace("0%", "0.##%")
        pattern = pattern.replace("0\N{NO-BREAK SPACE}%", "0.##\N{NO-BREAK SPACE}%")
        return str(numbers.format_percent(value / 100, pattern, locale=locale))

    def _percentage(self) -> tuple[str, str, str]:
        value = Decimal(self.random.randrange(1, 400)) / self.random.choice((1, 2, 4, 10))
        other = value + Decimal(self.random.randrange(1, 40)) / self.random.choice((1, 2, 4, 10))
        source = self.random.choice(
            [self._spell_percentage(value, self.foreign), f"{value}", f"{value / 100}"]
        )
        if self.random.random() < 0.7:
            spelled = [self._spell_percentage(each, self.locale) for each in (value, other)]
        else:
            spelled = [
                numbers.format_decimal(each, locale=self.locale) + PERCENT_WORDS[self.locale[:2]]
                for each in (value, other)
            ]
        return source, spelled[0], spelled[1]

    # phone numbers, links and addresses

    def _phone(self) -> tuple[str, str, str]:
        region = COUNTRIES.get(self.locale) or self.locale[3:]
        kind = self.random.choice(
            (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
        )
        example = phonenumbers.example_number_for_type(region, kind)
        if example is None:
            return "", "", ""
        digits = list(str(example.national_number))
        digits[-4:] = [str(self.random.randrange(10)) for _ in range(4)]
        number = self._with_digits(example, digits)
        place = self.random.randrange(len(digits) - 7, len(digits))
        digits[place] = str((int(digits[place]) + self.random.randrange(1, 9)) % 10)
        changed = self._with_digits(example, digits)
        forms = phonenumbers.PhoneNumberFormat
        form = self.random.choice((forms.NATIONAL, forms.NATIONAL, forms.INTERNATIONAL, forms.E164))
        sources = [forms.E164, forms.INTERNATIONAL]
        if form == forms.NATIONAL:
            sources.append(forms.NATIONAL)
        source = phonenumbers.format_number(number, self.random.choice(sources))
        text, other = (phonenumbers.format_number(each, form) for each in (number, changed))
        if form == forms.INTERNATIONAL and self.random.random() < 0.3:
            text, other = (each.replace("+", "00") for each in (text, other))
        return source, text, other

    @staticmethod
    def _with_digits(
        example: phonenumbers.PhoneNumber, digits: list[str]
    ) -> phonenumbers.PhoneNumber:
        number = phonenumbers.PhoneNumber()
        number.merge_from(example)
        number.national_number = int("".join(digits))
        return number

    def _name(self) -> str:
        return "".join(self.random.choices(SYLLABLES, k=self.random.randrange(2, 4)))

    def _link(self) -> tuple[str, str, str]:
        host = f"{self._name()}.{self.random.choice(DOMAINS)}"
        path = "".join(f"/{self._name()}" for _ in range(self.random.randrange(3)))
        query = (
            f"?{self._name()}={self.random.randrange(1000)}" if self.random.random() < 0.3 else ""
        )
        source = (
            f"{self.random.choice(('https://', 'http://', 'https://www.', ''))}{host}{path}{query}"
        )
        change = self.random.randrange(4)
        other = [host, path, query]
        if change == 0:
            other[0] = f"{self._name()}-{host}"
        elif change == 1:
            other[0] = host.translate(str.maketrans("aeo", "аео", ""))
        elif change == 2:
            other[1] = f"{path}/{self._name()}"
        else:
            other[2] = f"{query or '?id='}{self.random.randrange(1, 10)}"
        if other == [host, path, query]:
            return "", "", ""
        start = self.random.choice(("https://", "https://www.", "www.", "", ""))
        slash = "/" if not query and self.random.random() < 0.3 else ""
        space = " " if self.locale == "ja" else ""
        text = f"{start}{host}{path}{query}{slash}{space}"
        return source, text, f"{start}{''.join(other)}{space}"

    def _email(self) -> tuple[str, str, str]:
        local, host = self._name(), f"{self._name()}.{self.random.choice(DOMAINS)}"
        text = f"{local}.{self._name()}@{host}"
        changed = self.random.choice(
            (f"{self._name()}{text}", text.replace("@", f"@{self._name()}."), f"{text}.{'com'}")
        )
        source = self.random.choice((text, text.upper(), f"mailto:{text}", f"<{text}>"))
        return source, text, changed


def generate(count: int, locales: Sequence[str] = LOCALES) -> Iterator[Case]:
    """Yield so many cases of each kind and locale, the same ones each time."""
    for kind in FactKind:
        for locale in locales:
            yield from _Generator(kind, locale).cases(count)
