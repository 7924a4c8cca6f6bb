"""What the model writes: a first message from the prompt, always the same for the same prompt."""

import re

from local.stand_ins.openai.known_facts import KnownFacts

_QUESTION = "When would be a good time to talk?"


class Writer:
    """Writes from what a prompt tells.

    Args:
        facts: What it tells.
    """

    def __init__(self, facts: KnownFacts) -> None:
        self._first_name = facts.value("recipient_first_name", "first_name") or "there"
        self._company = facts.value("company_name", "company") or "our team"
        self._project = facts.value("project_name", "project") or "your enquiry"
        person = facts.value("company_rep_name", "rep_name", "company_rep")
        details = facts.details()
        self._sender = f"{person} from {self._company}" if person else self._company
        self._about = f"{self._project} ({details})" if details else self._project
        self._phrases = {
            r"first name|given name|(recipient|customer)('s)? name": self._first_name,
            r"company('s)? name|name of the company": self._company,
            r"project('s)? name|name of the project": self._project,
            r"\b(sender|our|representative)('s)? name\b": person or self._company,
            r"^(\S+ )?(a |the )?(greeting|salutation)": f"Hi {self._first_name}",
            r"sentences|message": self._sentences(),
            r"question|next step|call to action|invit": _QUESTION,
            r"reason|summary|sentence|offer": f"We would love to help with {self._about}.",
        }

    def message(self) -> str:
        """A first message as free text."""
        return f"Hi {self._first_name}! {self._sentences()}"

    def words_for(self, name: str, description: str) -> str:
        """A text for one property of a document.

        Args:
            name: The property's name.
            description: What its schema says of it.
        """
        asked = f"{name.replace('_', ' ')} {description}".lower()
        for pattern, words in self._phrases.items():
            if re.search(pattern, asked):
                return words
        topic = description or name.replace("_", " ") or "what you asked for"
        return f"{self._about}, {topic[0].lower()}{topic[1:]}"

    def _sentences(self) -> str:
        return f"This is {self._sender}. Thank you for your interest in {self._about}. {_QUESTION}"
