"""The recommendations that apiward knows, one YAML each, keyed by Defender's assessment key."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from apiward_core.errors import ConfigurationError

UNCATALOGUED = "uncatalogued"

_Guid = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
_Text = Annotated[str, StringConstraints(min_length=1)]
_OwaspApi = Annotated[str, StringConstraints(pattern=r"^API([1-9]|10):2023$")]
_Link = Annotated[str, StringConstraints(pattern=r"^https://learn\.microsoft\.com/")]
_STAGE = re.compile(r"[\[(](preview|deprecated)[\])]")

Severity = Literal["High", "Medium", "Low"]
Degree = Literal["Low", "Moderate", "High"]
Mode = Literal["automatic", "approval", "guided"]
Plan = Literal[
    "Foundational CSPM (Azure Policy)",
    "Defender for APIs",
    "Defender CSPM (API security posture)",
    "Defender for APIs or Defender CSPM (API security posture)",
]
"""What produces a recommendation's assessments: a Defender plan, or the policies that every subscription has."""


class Permissions(BaseModel):
    """The RBAC operations, data actions included, that looking at the resource and changing it need."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    read: tuple[_Text, ...]
    write: tuple[_Text, ...]


class Recommendation(BaseModel):
    """One kind of problem, and how it is cleared.

    `names` begins with the one to show. `breaking` and `irreversible` hold a sentence each, or None when they do not
    apply. They and `permissions` describe the fix, whoever makes it. `guided_because` says why apiward leaves the fix
    to people; None when it does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    slug: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    key: _Guid | None
    policy_definition_id: _Guid | None
    names: Annotated[tuple[_Text, ...], Field(min_length=1)]
    plan: Plan
    resource_type: _Text
    severity: Severity
    effort: Degree
    impact: Degree
    remediation: Mode
    guided_because: _Text | None
    breaking: _Text | None
    irreversible: _Text | None
    exemptible: bool
    owasp_api: tuple[_OwaspApi, ...]
    tactics: tuple[_Text, ...]
    techniques: tuple[_Text, ...]
    permissions: Permissions
    meaning: _Text
    steps: tuple[_Text, ...]
    link: _Link

    @property
    def name(self) -> str:
        """The display name."""
        return self.names[0]

    @property
    def reversible(self) -> bool:
        """Whether the fix can be taken back."""
        return self.irreversible is None

    @model_validator(mode="after")
    def _is_guided_for_a_reason(self) -> Self:
        if (self.remediation == "guided") != (self.guided_because is not None):
            raise ValueError("remediation: guided and guided_because go together: give both or neither")
        return self


class Catalogue:
    """All recommendations, found by slug, assessment key, policy definition or display name."""

    def __init__(self, recommendations: Iterable[Recommendation]) -> None:
        """Raises ConfigurationError when two recommendations share a slug, key, policy definition or display name."""
        entries = tuple(recommendations)
        self._by_slug = _index(entries, "slug", lambda item: [item.slug])
        self._by_key = _index(entries, "key", lambda item: [item.key])
        self._by_policy = _index(entries, "policy_definition_id", lambda item: [item.policy_definition_id])
        self._by_name = _index(entries, "name", lambda item: {normalised_name(name) for name in item.names})

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

        A policy definition is given by its id or by its whole ARM id. Display names are compared as `normalised_name`
        leaves them.
        """
        return (
            self.by_key(key)
            or self._by_policy.get(policy_definition_id.rpartition("/")[2].lower())
            or self._by_name.get(normalised_name(display_name))
        )


def _index(
    entries: Iterable[Recommendation], what: str, identities: Callable[[Recommendation], Iterable[str | None]]
) -> dict[str, Recommendation]:
    found: dict[str, Recommendation] = {}
    for entry in entries:
        for identity in identities(entry):
            if identity and found.setdefault(identity, entry) is not entry:
                raise ConfigurationError(
                    f"The recommendations {found[identity].slug} and {entry.slug} have one {what}: {identity!r}.",
                    remedy="Correct the catalogue: an assessment has to lead to one recommendation.",
                )
    return found


def normalised_name(display_name: str) -> str:
    """A display name reduced to what its spellings have in common.

    Case, punctuation, "(Preview)", "[Deprecated]:" and the difference between "shouldn't" and "should not" go.
    """
    name = _STAGE.sub(" ", display_name.lower()).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return re.sub(r"[^a-z0-9]+", " ", name.replace("shouldn't", "should not")).strip()


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
