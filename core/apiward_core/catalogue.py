"""The recommendations that apiward knows, one YAML each, keyed by Defender's assessment key."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from apiward_core.errors import ConfigurationError

UNCATALOGUED = "uncatalogued"

_Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
_Text = Annotated[str, StringConstraints(min_length=1)]


class Permissions(BaseModel):
    """The RBAC operations that a remediation needs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: tuple[str, ...]
    write: tuple[str, ...]


class Recommendation(BaseModel):
    """One kind of problem. `breaking` and `irreversible` hold a sentence each, or None when they do not apply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    key: _Guid | None
    policy_definition_id: _Guid | None
    names: tuple[_Text, ...]
    plan: _Text
    resource_type: _Text
    severity: Literal["High", "Medium", "Low"]
    effort: Literal["Low", "Moderate", "High"]
    impact: Literal["Low", "Moderate", "High"]
    remediation: Literal["automatic", "approval", "guided"]
    breaking: str | None
    irreversible: str | None
    exemptible: bool
    owasp_api: tuple[str, ...]
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    permissions: Permissions
    steps: tuple[_Text, ...]
    link: _Text


class Catalogue:
    """All recommendations, found by slug or by assessment key."""

    def __init__(self, recommendations: Iterable[Recommendation]) -> None:
        self._by_slug = {item.slug: item for item in recommendations}
        self._by_key = {item.key: item for item in self._by_slug.values() if item.key}

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self._by_slug.values())

    def by_slug(self, slug: str) -> Recommendation:
        """The recommendation of that slug. Raises ConfigurationError for an unknown one."""
        try:
            return self._by_slug[slug]
        except KeyError:
            raise ConfigurationError(
                f"There is no recommendation {slug!r}.", remedy=f"Known are: {', '.join(sorted(self._by_slug))}."
            ) from None

    def by_key(self, key: str) -> Recommendation | None:
        """The recommendation of that assessment key, None when it is not catalogued."""
        return self._by_key.get(key.lower())

    def resolve(self, key: str, *, policy_definition_id: str, display_name: str) -> Recommendation | None:
        """The recommendation of an assessment key, by key, else by policy definition, else by display name.

        Display names are compared without case, "(Preview)" and "shouldn't"/"should not".
        """
        if found := self.by_key(key):
            return found
        policy = policy_definition_id.rpartition("/")[2].lower()
        name = normalised_name(display_name)
        for item in self._by_slug.values():
            if policy and item.policy_definition_id == policy:
                return item
            if name in {normalised_name(known) for known in item.names}:
                return item
        return None


def normalised_name(display_name: str) -> str:
    """A display name reduced to what its spellings have in common."""
    name = display_name.lower().replace("(preview)", "").replace("’", "'").replace("shouldn't", "should not")
    return re.sub(r"[^a-z0-9]+", " ", name.replace("[", "").replace("]", "")).strip()


@cache
def load_catalogue() -> Catalogue:
    """The shipped catalogue. Raises ConfigurationError that names the file when one is not valid."""
    folder = files("apiward_core") / "catalogue"
    entries = {file.name: file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".yaml")}
    return Catalogue(parse_entry(name, text) for name, text in sorted(entries.items()))


def parse_entry(file_name: str, text: str) -> Recommendation:
    """The recommendation in one YAML file. Raises ConfigurationError when it is not valid or not named by its slug."""
    document: Mapping[str, object] = yaml.safe_load(text)
    try:
        entry = Recommendation.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(f"Catalogue file {file_name}: {error}", remedy="Correct the file.") from error
    if file_name != f"{entry.slug}.yaml":
        raise ConfigurationError(
            f"Catalogue file {file_name} holds slug {entry.slug!r}.", remedy="Name the file by its slug."
        )
    return entry
