"""The recipients' phones, as the stand-in for Twilio shows them."""

import json
import urllib.request

from local.stand_ins import PhoneMessage


class Phones:
    """Asks the stand-in for Twilio, in this process or in another.

    Args:
        origin: the stand-in's scheme, host and port.

    Attributes:
        origin: as given.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._state_url = f"{origin}/_control/state"
        self._direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def messages(self, number: str) -> list[PhoneMessage]:
        """What a recipient's phone shows, oldest first.

        Args:
            number: the recipient's, E.164.
        """
        return self.all().get(number, [])

    def all(self) -> dict[str, list[PhoneMessage]]:
        """What every phone shows, by its number."""
        with self._direct.open(self._state_url, timeout=5) as answer:
            phones = json.load(answer)["phones"]
        return {
            number: [PhoneMessage(**message) for message in messages]
            for number, messages in phones.items()
        }
