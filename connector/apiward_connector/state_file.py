"""A scope's state as bytes: one line that says what it is, then the state as zstd-compressed JSON.

The line holds the format's name and version and the SHA-256 of what follows.
"""

import hashlib
from typing import Any

import orjson
import zstandard

from apiward_connector.finding import Finding
from apiward_connector.recommendation_types import RecommendationType
from apiward_connector.state import ChangeType, Entry, ScopeState
from apiward_core.errors import ConfigurationError

FORMAT = b"apiward-connector-state"
VERSION = b"1"
_LEVEL = 3


def encode(scope: str, state: ScopeState) -> bytes:
    """The state of `scope` as bytes; equal states give equal bytes."""
    document = {"scope": scope, "state": state}
    body = zstandard.ZstdCompressor(level=_LEVEL).compress(orjson.dumps(document, option=orjson.OPT_SORT_KEYS))
    return b" ".join((FORMAT, VERSION, _checksum(body))) + b"\n" + body


def decode(scope: str, data: bytes, *, place: str) -> ScopeState:
    """The state of `scope` that `data` holds.

    Raises ConfigurationError that names `place` when it is damaged, of another scope, of another version, or no state.
    """
    line, _, body = data.partition(b"\n")
    words = line.split(b" ")
    if len(words) != 3 or words[0] != FORMAT:  # noqa: PLR2004 - the three words of the first line
        raise _unusable(place, "it is no connector state")
    if words[1] != VERSION:
        raise _unusable(place, f"it has format version {words[1].decode(errors='replace')}, this apiward reads 1")
    if words[2] != _checksum(body):
        raise _unusable(place, "its checksum is wrong; it is damaged")
    document = orjson.loads(zstandard.ZstdDecompressor().decompress(body))
    if document["scope"] != scope:
        raise _unusable(place, f"it belongs to {document['scope']}, not to {scope}")
    try:
        return _state(document["state"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(place, f"another build of apiward wrote it ({error})") from error


def _state(document: dict[str, Any]) -> ScopeState:
    return ScopeState(
        entries={name: _entry(entry) for name, entry in document["entries"].items()},
        pending=tuple((name, ChangeType(change)) for name, change in document["pending"]),
        types=tuple(_type(kind) for kind in document["types"]),
        told=document["told"],
        observed=document["observed"],
        watermark=document["watermark"],
        inventory_day=document["inventory_day"],
    )


def _entry(document: dict[str, Any]) -> Entry:
    return Entry(**{**document, "finding": Finding(**document["finding"])})


def _type(document: dict[str, Any]) -> RecommendationType:
    lists = {name: tuple(document[name]) for name in ("threats", "owasp_api")}
    return RecommendationType(**{**document, **lists})


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _unusable(place: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The state in {place} cannot be used: {reason}.",
        remedy="It is never overwritten. Put back the file as the last run left it (an older one repeats revisions "
        "that the workspace has), or move it away: the next run starts anew, every finding is New and raised again "
        "(with first_run = 'baseline' it is only recorded), and what has gone since the last run stays in "
        "ApiRecommendationCurrent() until its rows leave the time range.",
    )
