"""Azure Resource Manager ids: parsed strictly before anything is done with them, read leniently to record them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from apiward_core.errors import GuardrailError, RejectedDataError

_MAX_LENGTH = 2048
# A query, a fragment, an escape or a padded segment in an id could send a request somewhere else than the id says.
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\?#%<>\"{}|^`]|/\s|\s(?=/)|\s\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class ArmId:
    """One ARM id: a subscription, a resource group, a resource, or an extension resource.

    `providers` holds one (namespace, ((type, name), ...)) per "/providers/" in the id, outermost first.
    """

    text: str
    subscription_id: str
    resource_group: str
    providers: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The id that `text` spells; casing is kept. Raises RejectedDataError when it is no well-formed ARM id."""
        return cls._spelled(text, forbidden=_FORBIDDEN)

    @classmethod
    def read(cls, text: str) -> Self:
        """The id that `text` spells, for data that is only recorded: names may hold whatever a service lets them hold.

        API Management for one has names with % and {. Raises RejectedDataError for control characters, for empty and
        dot segments, and for what has not the parts of an ARM id.
        """
        return cls._spelled(text, forbidden=_CONTROL)

    @classmethod
    def _spelled(cls, text: str, *, forbidden: re.Pattern[str]) -> Self:
        if not text.startswith("/"):
            text = "/" + text
        segments = _segments(text, forbidden)
        if len(segments) < 2 or segments[0].lower() != "subscriptions":  # noqa: PLR2004 - "subscriptions" and its id
            raise _malformed(text, "it does not start with /subscriptions/{id}")
        subscription, rest = _subscription(text, segments[1]), segments[2:]
        group = ""
        if rest and rest[0].lower() == "resourcegroups":
            if len(rest) < 2:  # noqa: PLR2004
                raise _malformed(text, "the resource group has no name")
            group, rest = rest[1], rest[2:]
        return cls(text.rstrip("/"), subscription, group, tuple(_providers(text, rest)))

    @property
    def key(self) -> str:
        """The id in lower case: ARM ids compare without regard to case."""
        return self.text.lower()

    @property
    def type(self) -> str:
        """The resource type, e.g. "Microsoft.ApiManagement/service/apis"; the ARM type for groups and subscriptions."""
        if self.providers:
            namespace, pairs = self.providers[-1]
            return "/".join((namespace, *(kind for kind, _ in pairs)))
        return "Microsoft.Resources/resourceGroups" if self.resource_group else "Microsoft.Resources/subscriptions"

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the last provider part, outermost first: (service, api) for an API."""
        return tuple(name for _, name in self.providers[-1][1]) if self.providers else ()

    @property
    def name(self) -> str:
        """The last name of the id."""
        return self.names[-1] if self.providers else self.resource_group or self.subscription_id

    def top_level(self) -> "ArmId":
        """The outermost resource that this id is part of (the service of an API), or the group or subscription."""
        if not self.providers:
            return self
        namespace, pairs = self.providers[0]
        kind, name = pairs[0]
        text = f"{self._prefix()}/providers/{namespace}/{kind}/{name}"
        return ArmId(text, self.subscription_id, self.resource_group, ((namespace, pairs[:1]),))

    def is_within(self, scope: "ArmId") -> bool:
        """Whether this id is `scope` or lies below it."""
        return self.key == scope.key or self.key.startswith(scope.key + "/")

    def require_within(self, scopes: Iterable["ArmId"]) -> Self:
        """This id, when it may be acted on: one of the allowed scopes contains it. Raises GuardrailError otherwise.

        An id with more than one /providers/ part is refused: it begins with the resource that it extends, its names are
        those of the last part, and a scope that contains the one says nothing of the other. Raises RejectedDataError
        for an id that only `read` accepts.
        """
        self.parse(self.text)
        if len(self.providers) > 1:
            raise GuardrailError(
                f"{self.text} is an extension of another resource, so no allowed scope can be checked for it.",
                remedy="Name the resource itself, by an id with one /providers/ part.",
            )
        allowed = list(scopes)
        if any(self.is_within(scope) for scope in allowed):
            return self
        raise GuardrailError(
            f"{self.text} is outside the allowed scopes ({', '.join(scope.text for scope in allowed) or 'none'}).",
            remedy="Add its subscription or resource group to allowed_scopes if apiward may act there.",
        )

    def _prefix(self) -> str:
        group = f"/resourceGroups/{self.resource_group}" if self.resource_group else ""
        return f"/subscriptions/{self.subscription_id}{group}"

    def __str__(self) -> str:
        return self.text


def _segments(text: str, forbidden: re.Pattern[str]) -> list[str]:
    if len(text) > _MAX_LENGTH:
        raise _malformed(text[:80] + "...", f"it is longer than {_MAX_LENGTH} characters")
    if found := forbidden.search(text):
        raise _malformed(text, f"it contains {found.group()!r}")
    segments = text[1:].rstrip("/").split("/")
    if any(segment.strip() in ("", ".", "..") for segment in segments):
        raise _malformed(text, "it has an empty or dotted segment")
    return segments


def _subscription(text: str, segment: str) -> str:
    try:
        return str(UUID(segment)) if len(segment) == 36 else _raise(segment)  # noqa: PLR2004 - a GUID with its dashes
    except ValueError as error:
        raise _malformed(text, f"its subscription id {segment!r} is no GUID") from error


def _raise(segment: str) -> str:
    raise ValueError(segment)


def _providers(text: str, segments: list[str]) -> Iterable[tuple[str, tuple[tuple[str, str], ...]]]:
    while segments:
        if segments[0].lower() != "providers" or len(segments) < 4:  # noqa: PLR2004 - providers/namespace/type/name
            raise _malformed(text, f"/providers/{{namespace}}/{{type}}/{{name}} expected at {'/'.join(segments)!r}")
        namespace, pairs, segments = segments[1], segments[2:], []
        for index, segment in enumerate(pairs):
            if index % 2 == 0 and segment.lower() == "providers":
                pairs, segments = pairs[:index], pairs[index:]
                break
        if "." not in namespace or len(pairs) % 2:
            raise _malformed(text, f"the part after /providers/{namespace} is not pairs of type and name")
        yield namespace, tuple(zip(pairs[::2], pairs[1::2], strict=True))


def _malformed(text: str, reason: str) -> RejectedDataError:
    return RejectedDataError(f"{text!r} is no ARM id: {reason}.", remedy="Give the full resource id from the portal.")
