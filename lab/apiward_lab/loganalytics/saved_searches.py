"""Saved searches and the functions that they define (SavedSearches 2023-09-01)."""

import json
from dataclasses import dataclass
from typing import Any

from apiward_lab.loganalytics.functions import Function, parsed
from apiward_lab.web import Problem


@dataclass(frozen=True)
class SavedSearch:
    """A stored query; with an alias it is a function of the workspace."""

    name: str
    properties: str
    etag: str

    @property
    def body(self) -> dict[str, Any]:
        """Its properties, as they were put."""
        return dict(json.loads(self.properties))

    @property
    def function(self) -> Function | None:
        """The function that it defines, if any."""
        properties = self.body
        alias = properties.get("functionAlias")
        return Function(alias, properties.get("functionParameters") or "", properties["query"]) if alias else None


def parse_saved_search(name: str, body: Any, etag: str, existing: SavedSearch | None) -> SavedSearch:
    """What a PUT stores.

    Raises Problem 409 when it would replace a saved search without naming its etag (or "*"), which the service calls
    newer data; 400 when a required property is absent or the function cannot be parsed.
    """
    if existing and body.get("etag") not in {existing.etag, "*"}:
        raise Problem(
            409,
            "Conflict",
            f"Newer data exists: saved search '{name}' already exists with another etag. "
            "Read it and send its etag in the body to replace it.",
        )
    properties = body.get("properties") or {}
    missing = [key for key in ("category", "displayName", "query") if not properties.get(key)]
    if missing:
        raise Problem(400, "BadRequest", f"Saved search '{name}' needs properties.{missing[0]}.")
    search = SavedSearch(name, json.dumps(properties), etag)
    _check(search)
    return search


def _check(search: SavedSearch) -> None:
    if search.function is None:
        return
    try:
        parsed((search.function.definition,))
    except (ValueError, TypeError) as error:
        raise Problem(
            400, "BadRequest", f"Saved search '{search.name}': its function cannot be parsed: {error}"
        ) from error
