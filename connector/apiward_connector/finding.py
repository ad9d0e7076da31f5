"""What apiward knows of one assessment."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

UNHEALTHY = "Unhealthy"
HEALTHY = "Healthy"
NOT_APPLICABLE = "NotApplicable"

# 128 bits keep the odds of one collision among a billion findings below 1e-20, at half the bytes of a whole SHA-256
# in two columns of every row. ID_LENGTH counts hexadecimal digits.
ID_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Finding:
    """One assessment as the table DefenderApiRecommendations_CL describes it; unknown texts and times are "".

    It holds nothing that depends on when or how often it was read, nor on the source, but for `risk_level`, which only
    Resource Graph lists. What is taken from ARM ids is in lower case: they compare without
    regard to it, Resource Graph lower-cases many of them, and Defender itself is not constant in it.
    """

    finding_id: str
    recommendation_key: str
    recommendation: str
    recommendation_name: str
    category: str
    severity: str
    risk_level: str
    state: str
    state_cause: str
    state_description: str
    first_evaluated: str
    state_changed: str
    resource_id: str
    resource_type: str
    resource_name: str
    resource_group: str
    subscription_id: str
    tenant_id: str
    location: str
    service_id: str
    apim_service: str
    api_name: str
    operation_name: str
    exempt: bool
    portal_link: str
    additional_data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An assessment that may be about APIs and could not be read: which one, and the reason."""

    what: str
    why: str


def finding_id(*, tenant_id: str, resource_id: str, key: str) -> str:
    """The identity of a finding. No part can hold a line feed, so two different triples never join to one text."""
    return digest("\n".join((tenant_id.lower(), resource_id.lower(), key.lower())).encode())


def content_hash(finding: Finding) -> str:
    """A hash of everything that the finding says."""
    return digest(orjson.dumps(finding, option=orjson.OPT_SORT_KEYS))


def digest(data: bytes) -> str:
    """The first ID_LENGTH hexadecimal digits of the SHA-256 of `data`."""
    return hashlib.sha256(data).hexdigest()[:ID_LENGTH]
