"""What apiward knows of one assessment."""

import struct
from dataclasses import dataclass
from hashlib import sha256

from msgspec import Struct

from apiward_connector.place import Place

UNHEALTHY = "Unhealthy"
HEALTHY = "Healthy"
NOT_APPLICABLE = "NotApplicable"

# 128 bits keep the odds of one collision among a billion findings below 1e-20, at half the bytes of a whole SHA-256
# in two columns of every row. ID_LENGTH counts hexadecimal digits, in which rows spell ids.
ID_LENGTH = 32
_ID_BYTES = ID_LENGTH // 2
_first_bits = struct.Struct(">Q").unpack_from


@dataclass(frozen=True, slots=True)
class Kind:
    """What the findings of one assessment key share; `recommendation` is the slug in the catalogue."""

    key: str
    recommendation: str
    name: str
    category: str
    severity: str
    policy_definition_id: str

    def __hash__(self) -> int:  # once for each finding: that of all members takes five times as long
        return hash(self.key)


class Finding(Struct, frozen=True, gc=False):
    """One assessment as the table DefenderApiRecommendations_CL describes it; unknown texts are "", times as `moments`.

    It holds nothing that depends on when or how often it was read, nor on the source, but for `risk_level`, which only
    Resource Graph lists. `additional_data` is JSON, `shared` are the other JSON members of its row that describe it,
    without braces and times: `rows` joins them, because in most passes few findings get a row. `digest`, a number of 64
    bits, hashes what makes a finding Changed: all that but RiskLevel, LastTraffic and what follows from its identity.
    """

    id: bytes
    kind: Kind
    place: Place
    state: str
    risk_level: str
    first_evaluated: int
    state_changed: int
    location: str
    digest: int
    shared: tuple[bytes, ...]
    additional_data: bytes


@dataclass(frozen=True, slots=True)
class Gone:
    """What is still known of a finding that is absent; `apim_service` and `api` where the resource id lacks them."""

    kind: Kind
    resource_id: str
    apim_service: str
    api: str
    state: str
    first_evaluated: int
    state_changed: int
    location: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An assessment that may be about APIs and could not be read: which one, and the reason."""

    what: str
    why: str


def owner_of_findings(*, tenant_id: str, resource_id: str) -> bytes:
    """What the findings of a resource have in common in their identity; both ids are in lower case.

    Raises UnicodeEncodeError when one holds what is no text, a lone surrogate.
    """
    return f"{tenant_id}\n{resource_id}\n".encode()


def finding_id(owner: bytes, key: str) -> bytes:
    """The identity of the finding of an owner at an assessment key in lower case.

    Neither can hold a line feed besides the two of the owner, so two different pairs never join to one text. Raises
    UnicodeEncodeError when the key holds what is no text.
    """
    return sha256(owner + key.encode()).digest()[:_ID_BYTES]


def content_digest(content: bytes) -> int:
    """The first 64 bits of the SHA-256 of `content`."""
    number: int
    (number,) = _first_bits(sha256(content).digest())
    return number


def digest(data: bytes) -> str:
    """The first ID_LENGTH hexadecimal digits of the SHA-256 of `data`."""
    return sha256(data).hexdigest()[:ID_LENGTH]
