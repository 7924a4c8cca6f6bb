"""Lists with a cursor: https://developers.openai.com/api/reference, "Pagination"."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import Field

from local.stand_ins.openai.errors import OpenAIError
from local.stand_ins.openai.parsing import RequestBody, validated

Item = Mapping[str, Any]


class ListQuery(RequestBody):
    """Parameters of a list."""

    after: str | None = None
    before: str | None = None
    limit: int = Field(default=20, ge=1, le=100)
    order: Literal["asc", "desc"] = "desc"
    run_id: str | None = None


def page(items: Sequence[Item], query: Mapping[str, str]) -> dict[str, Any]:
    """The JSON of a page.

    Args:
        items: Everything, oldest first, each with its `id`.
        query: The request's parameters.

    Raises:
        OpenAIError: A parameter is wrong.
    """
    wanted = validated(ListQuery, _with_number(query))
    ordered = list(items) if wanted.order == "asc" else list(reversed(items))
    if wanted.run_id is not None:
        ordered = [item for item in ordered if item.get("run_id") == wanted.run_id]
    if wanted.after is not None:
        ordered = ordered[_position(ordered, wanted.after, "after") + 1 :]
    if wanted.before is not None:
        ordered = ordered[: _position(ordered, wanted.before, "before")]
    shown = ordered[: wanted.limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(shown) < len(ordered),
    }


def _with_number(query: Mapping[str, str]) -> dict[str, Any]:
    limit = query.get("limit", "")
    return dict(query) | ({"limit": int(limit)} if limit.isdecimal() else {})


def _position(items: Sequence[Item], id_: str, param: str) -> int:
    for position, item in enumerate(items):
        if item["id"] == id_:
            return position
    raise OpenAIError("invalid_value", f"Invalid '{param}': no such item.", param=param)
