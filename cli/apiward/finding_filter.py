"""Which findings to list, out of what a person wrote."""

import re
from dataclasses import asdict, dataclass
from typing import Self

from apiward_core.arm_id import ArmId
from apiward_core.catalogue import UNCATALOGUED, Catalogue
from apiward_core.errors import ConfigurationError, RejectedDataError

SEVERITIES = ("High", "Medium", "Low")
STATES = ("Unhealthy", "Healthy", "NotApplicable")
ANY = "all"

_SERVICE_NAME = re.compile(r"[A-Za-z0-9._-]{1,260}")


@dataclass(frozen=True)
class Wanted:
    """Which current findings to list. An empty text leaves that open."""

    state: str = "Unhealthy"
    severity: str = ""
    recommendation: str = ""
    service: str = ""

    @classmethod
    def parse(cls, *, state: str, severity: str, recommendation: str, service: str, catalogue: Catalogue) -> Self:
        """What a person wrote, checked. Raises ConfigurationError that names the option and what it takes.

        `state` may be "all"; `service` is the name of a service, or the ARM id of one, in any casing.
        """
        if recommendation and recommendation != UNCATALOGUED:
            recommendation = catalogue.by_slug(recommendation.lower()).slug
        return cls(
            state="" if state.lower() == ANY else _one_of("--state", state, (*STATES, ANY)),
            severity=_one_of("--severity", severity, SEVERITIES) if severity else "",
            recommendation=recommendation,
            service=_service(service) if service else "",
        )

    def values(self) -> dict[str, str]:
        """The parameters of the queries."""
        return asdict(self)

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.values().items() if value) or "no condition"


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    for name in known:
        if name.lower() == value.lower():
            return name
    raise ConfigurationError(f"{option} {value!r} is unknown.", remedy=f"It is one of {', '.join(known)}.")


def _service(text: str) -> str:
    if _SERVICE_NAME.fullmatch(text):
        return text.lower()
    try:
        return ArmId.parse(text).top_level().key
    except RejectedDataError as error:
        raise ConfigurationError(
            f"--service {text!r} is no service: {error.message}", remedy="Give the name of a service, or its ARM id."
        ) from error
