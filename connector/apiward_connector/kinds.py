"""What the findings of one assessment key share, and whether they are about APIs."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from apiward_connector.finding import Kind
from apiward_connector.memo import Memo, length_of_all
from apiward_connector.recommendation_types import RecommendationType, type_of
from apiward_connector.sources.metadata import UNKNOWN, AssessmentMetadata
from apiward_core.catalogue import UNCATALOGUED, Catalogue, normalised_name

_REMEMBERED = 4096
_LONG = 2048
_SEVERITIES = {severity.lower(): severity for severity in ("High", "Medium", "Low")}

# "API" alone says too little: Defender also assesses Kubernetes API servers, Azure API for FHIR and API apps.
_API_NAME = re.compile(r"\b(api management|api endpoints?|api gateways?|api security|defender for apis)\b")
_API_CATEGORIES = {"api", "apis", "apisecurity", "apimanagement"}
_NOT_LETTERS = re.compile(r"[^a-z]")


class Judged(NamedTuple):
    """A kind; `about_apis` when the catalogue knows it, or its name or category says so."""

    kind: Kind
    about_apis: bool


class Kinds:
    """Tells the kind of findings by the metadata of their subscription and the catalogue."""

    def __init__(self, *, metadata: Mapping[str, AssessmentMetadata], catalogue: Catalogue) -> None:
        self._metadata = metadata
        self._catalogue = catalogue
        self._judged = Memo(self._judge_listed, size=_REMEMBERED, weigh=length_of_all)
        self._met: dict[str, Kind] = {}

    def judge(self, key: str, name: str | None, embedded: object = None) -> Judged:
        """The kind of an assessment key in any case.

        `name` is the display name that the assessment itself gives, and `embedded` the metadata in it, which is read
        where that of the subscription lacks the key.
        """
        if isinstance(embedded, dict) and key.strip().lower() not in self._metadata:
            return self._judge(key.strip().lower(), (name or "").strip(), AssessmentMetadata.parse(embedded))
        return self._judged[key, name or ""]

    def meet(self, kind: Kind) -> None:
        """Take note of the kind of a finding for `types`.

        Not of more than 4,096 keys nor of names beyond 2,048 characters: Defender has some two thousand keys in all,
        and what it is sent must not fill the memory.
        """
        known = self._met.get(kind.key)
        if kind is known or len(kind.key) + len(kind.name) > _LONG:
            return
        if len(self._met) < _REMEMBERED if known is None else _rank(kind) < _rank(known):
            self._met[kind.key] = kind

    @property
    def types(self) -> tuple[RecommendationType, ...]:
        """One type for each assessment key that was met, catalogued or not, whatever their order."""
        return tuple(
            type_of(kind, metadata=self._metadata.get(key, UNKNOWN), catalogue=self._catalogue)
            for key, kind in sorted(self._met.items())
        )

    def _judge_listed(self, asked: tuple[str, str]) -> Judged:
        key, name = asked[0].strip().lower(), asked[1].strip()
        return self._judge(key, name, self._metadata.get(key, UNKNOWN))

    def _judge(self, key: str, own_name: str, metadata: AssessmentMetadata) -> Judged:
        name = own_name or metadata.display_name
        policy = metadata.policy_definition_id
        recommendation = self._catalogue.resolve(key, policy_definition_id=policy, display_name=name)
        kind = Kind(
            key=key,
            recommendation=recommendation.slug if recommendation else UNCATALOGUED,
            name=name,
            category=", ".join(metadata.categories),
            severity=_SEVERITIES.get(metadata.severity.lower(), metadata.severity)
            or (recommendation.severity if recommendation else ""),
            policy_definition_id=policy,
        )
        return Judged(kind, about_apis=recommendation is not None or _names_apis(name, metadata.categories))


def _rank(kind: Kind) -> tuple[str, ...]:
    return (kind.name, kind.recommendation, kind.severity)


def _names_apis(name: str, categories: tuple[str, ...]) -> bool:
    return bool(_API_NAME.search(normalised_name(name))) or any(
        _NOT_LETTERS.sub("", category.lower()) in _API_CATEGORIES for category in categories
    )
