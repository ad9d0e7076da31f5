"""A scope's state as bytes.

One line says what it is: the format's name and version, and the SHA-256 of all that follows. Then come parts, each with
its length before it: a header in JSON, each column of the ledger, and the blocks of identities. Columns are compressed
alone because neighbours in a column resemble each other; ids and digests are random, and stay as they are.
"""

import hashlib
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
import orjson
import zstandard
from msgspec.structs import asdict

from apiward_connector.finding import Kind
from apiward_connector.identities import Identities
from apiward_connector.ledger import COLUMNS, Ledger
from apiward_connector.state import ScopeState
from apiward_core.errors import ConfigurationError

FORMAT = b"apiward-connector-state"
VERSION = b"3"
_LEVEL = 3
_CHECKSUM_LENGTH = 64
_LENGTH = struct.Struct("<Q")
_RANDOM = {"high", "low", "digest"}


def encode(scope: str, state: ScopeState) -> bytes:
    """The state of `scope` as bytes; equal states give equal bytes. They are never in memory twice."""
    data = BytesIO()
    data.write(_first_line("0" * _CHECKSUM_LENGTH))
    start = data.tell()
    for part in _parts(scope, state):
        data.write(_LENGTH.pack(len(part)))
        data.write(part)
    with data.getbuffer() as written:
        checksum = hashlib.sha256(written[start:]).hexdigest()
    data.seek(0)
    data.write(_first_line(checksum))
    return data.getvalue()


def decode(scope: str, data: bytes, *, place: str) -> ScopeState:
    """The state of `scope` that `data` holds.

    Raises ConfigurationError that names `place` when it is damaged, of another scope, of another version, or no state.
    """
    words = data[: data.find(b"\n") + 1].split()
    if len(words) != 3 or words[0] != FORMAT:  # noqa: PLR2004 - the three words of the first line
        raise _unusable(place, "it is no connector state")
    if words[1] != VERSION:
        written = words[1].decode(errors="replace")
        raise _unusable(place, f"it has format version {written}, this apiward reads {VERSION.decode()}")
    body = memoryview(data)[data.find(b"\n") + 1 :]
    if words[2] != hashlib.sha256(body).hexdigest().encode():
        raise _unusable(place, "its checksum is wrong; it is damaged")
    parts = _unframed(body)
    header = orjson.loads(next(parts))
    if header["scope"] != scope:
        raise _unusable(place, f"it belongs to {header['scope']}, not to {scope}")
    try:
        return _state(header, parts)
    except (KeyError, TypeError, ValueError) as error:
        raise _unusable(place, f"another build of apiward wrote it ({error})") from error


def _first_line(checksum: str) -> bytes:
    return b"%b %b %b\n" % (FORMAT, VERSION, checksum.encode())


def _parts(scope: str, state: ScopeState) -> Iterator[bytes | memoryview]:
    ledger = state.ledger
    yield orjson.dumps(
        {
            "scope": scope,
            "count": len(ledger),
            "kinds": [asdict(kind) for kind in ledger.kinds.values],
            "words": ledger.words.values,
            "told": state.told,
            "observed": state.observed,
            "watermark": state.watermark,
            "inventory_day": state.inventory_day,
            "outbox": state.outbox,
            "superseded": state.superseded,
            "fence": state.fence,
            "context": state.context,
        },
        option=orjson.OPT_SORT_KEYS,
    )
    compress = zstandard.ZstdCompressor(level=_LEVEL).compress
    for name in COLUMNS:
        column = ledger[name].view(np.uint8).data
        yield column if name in _RANDOM else compress(column)
    yield from ledger.identities.blocks()


def _state(header: dict[str, Any], parts: Iterator[memoryview]) -> ScopeState:
    decompress = zstandard.ZstdDecompressor().decompress
    columns = {
        name: np.frombuffer(part if name in _RANDOM else decompress(part), dtype).copy()
        for (name, dtype), part in zip(COLUMNS.items(), parts, strict=False)
    }
    if {len(column) for column in columns.values()} != {header["count"]}:
        raise ValueError("its columns differ in length")
    ledger = Ledger(
        columns,
        kinds=(Kind(**kind) for kind in header["kinds"]),
        words=header["words"],
        identities=Identities(bytes(block) for block in parts),
    )
    return ScopeState(
        ledger=ledger,
        told=header["told"],
        observed=header["observed"],
        watermark=header["watermark"],
        inventory_day=header["inventory_day"],
        outbox=header["outbox"],
        superseded=tuple(header["superseded"]),
        fence=header["fence"],
        context=header["context"],
    )


def _unframed(body: memoryview) -> Iterator[memoryview]:
    at = 0
    while at < len(body):
        [length] = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size
        yield body[at : at + length]
        at += length


def _unusable(place: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The state in {place} cannot be used: {reason}.",
        remedy="It is never overwritten. Put back the file as the last run left it, or rebuild it from the workspace: "
        "apiward ingest rebuild.",
    )
