"""Content templates: placeholders and the variables that fill them.

https://www.twilio.com/docs/content/using-variables-with-content-api and the pages of the errors
21654, 21655 and 21656. A placeholder without a value is refused: templates here have no defaults.
A value without a placeholder is refused too, more strictly than Twilio, which passes it on to
WhatsApp, where a wrong number of parameters fails later.
"""

import json
import re
from collections.abc import Mapping

from local.stand_ins.twilio.errors import TwilioError

MAX_VARIABLES = 100
MAX_RENDERED = 1024
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_FORBIDDEN = re.compile(r"[\n\r\t]| {5}")


def rendered(form: Mapping[str, str], templates: Mapping[str, str]) -> str:
    """The text of a request's template with its variables filled in.

    Args:
        form: The request's parameters, with a ContentSid.
        templates: Text of each known template, by its sid.

    Raises:
        TwilioError: The template is unknown, or its variables do not fit.
    """
    text = templates.get(form["ContentSid"])
    if text is None:
        raise TwilioError(21655)
    values = _values(form.get("ContentVariables", ""))
    names = set(_PLACEHOLDER.findall(text))
    if names - values.keys():
        raise TwilioError(21656, "a placeholder has no value")
    if values.keys() - names:
        raise TwilioError(63028)
    body = _PLACEHOLDER.sub(lambda found: values[found[1]], text)
    if len(body) > MAX_RENDERED:
        raise TwilioError(63005, f"longer than {MAX_RENDERED} characters")
    return body


def _values(content_variables: str) -> dict[str, str]:
    if not content_variables:
        return {}
    try:
        values = json.loads(content_variables)
    except ValueError as error:
        raise TwilioError(21656, "not JSON") from error
    if not isinstance(values, dict):
        raise TwilioError(21656, "not a JSON object")
    if len(values) > MAX_VARIABLES:
        raise TwilioError(21656, f"more than {MAX_VARIABLES} variables")
    for name, value in values.items():
        _check_value(name, value)
    return values


def _check_value(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise TwilioError(21656, f"variable {name} is not a string")
    if not value.strip():
        raise TwilioError(21656, f"variable {name} is empty")
    if _FORBIDDEN.search(value):
        raise TwilioError(21656, f"variable {name} has a line break, a tab or too many spaces")
