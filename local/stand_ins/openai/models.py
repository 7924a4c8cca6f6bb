"""The models that exist: https://developers.openai.com/api/reference/resources/models."""

from collections.abc import Collection
from typing import Any

from local.stand_ins.openai.errors import OpenAIError


class Models:
    """A set of models.

    Args:
        names: Their names, the usual one first.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = tuple(names)

    @property
    def usual(self) -> str:
        """The model of those who name none."""
        return self._names[0]

    def check(self, name: str) -> None:
        """Make sure that a model exists.

        Raises:
            OpenAIError: It does not.
        """
        if name not in self._names:
            message = f"The model `{name}` does not exist or you do not have access to it."
            raise OpenAIError("model_not_found", message, param="model")

    def all(self) -> dict[str, Any]:
        """The JSON of the list of models."""
        return {"object": "list", "data": [self.one(name) for name in self._names]}

    def one(self, name: str) -> dict[str, Any]:
        """The JSON of a model.

        Raises:
            OpenAIError: It does not exist.
        """
        self.check(name)
        return {
            "id": name,
            "object": "model",
            "created": 0,
            "owned_by": "system",
            "shutdown_date": None,
        }
