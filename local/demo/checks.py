"""Claims that the demonstration makes, each checked and shown with its verdict."""

from collections.abc import Callable

from local.screen import Screen


class Checks:
    """Collects the claims that do not hold.

    Args:
        screen: where each claim is shown.

    Attributes:
        failed: the claims that did not hold, in the order of checking.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.failed: list[str] = []
        self.count = 0

    def that(self, claim: str, holds: Callable[[], object]) -> None:
        """Check a claim.

        Args:
            claim: one sentence that a reader understands without the code.
            holds: tells by something true; a value that is not there (KeyError and the like) counts
                against the claim.
        """
        verdict = _verdict(holds)
        self.count += 1
        if not verdict:
            self.failed.append(claim)
        self._screen.verdict(claim, holds=verdict)


def _verdict(holds: Callable[[], object]) -> bool:
    try:
        return bool(holds())
    except (LookupError, TypeError, AttributeError):
        return False
