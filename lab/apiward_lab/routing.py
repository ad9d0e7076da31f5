"""Which route answers a request: by path and method without regard to case, the most specific one first."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from apiward_lab.web import Problem, Route

_PLACEHOLDER = re.compile(r"\{[^}]+\}")


@dataclass(frozen=True)
class Match:
    """A route and what its placeholders stand for, percent-decoded."""

    route: Route
    params: Mapping[str, str]


class Router:
    """The routes of every service, compiled once."""

    def __init__(self, routes: Iterable[Route]) -> None:
        ordered = sorted(routes, key=_generality)
        self._table = [(route, route.pattern()) for route in ordered]

    def find(self, method: str, path: str, api_version: str | None) -> Match | None:
        """The route for a raw (percent-encoded) path, or None when there is none.

        Raises Problem 400 when the operation exists but not at this api-version.
        """
        found = [
            Match(route, {name: unquote(value) for name, value in hit.groupdict().items()})
            for route, pattern in self._table
            if route.method == method and (hit := pattern.fullmatch(path))
        ]
        if not found:
            return None
        best = _generality(found[0].route)
        return _at_version([match for match in found if _generality(match.route) == best], api_version)


def _generality(route: Route) -> tuple[int, int]:
    """Sort key: few multi-segment placeholders first, then much literal text."""
    return (route.path.count(":path}"), -len(_PLACEHOLDER.sub("", route.path)))


def _at_version(matches: Sequence[Match], api_version: str | None) -> Match:
    for match in matches:
        if not match.route.api_versions or api_version in match.route.api_versions:
            return match
    if not api_version:
        raise Problem(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    raise _unsupported_version(matches, api_version)


def _unsupported_version(matches: Sequence[Match], api_version: str) -> Problem:
    supported = ", ".join(sorted({version for match in matches for version in match.route.api_versions}))
    resource_type = _resource_type(matches[0].route.path)
    if resource_type is None:
        return Problem(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{api_version}' is invalid. The supported versions are '{supported}'.",
        )
    return Problem(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '' and API version '{api_version}' "
        f"for type '{resource_type}'. The supported api-versions are '{supported}'.",
    )


def _resource_type(template: str) -> str | None:
    """As "service/apis" of ".../Microsoft.ApiManagement/service/{service}/apis/{api}"; None without a provider."""
    _, marker, tail = template.rpartition("/providers/")
    literals = [segment for segment in tail.split("/")[1:] if not segment.startswith("{")]
    return "/".join(literals) if marker and literals else None
