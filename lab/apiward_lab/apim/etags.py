"""ETags of API Management entities."""

import base64
import struct
import zlib

from apiward_lab.apim.problems import precondition_failed, precondition_required
from apiward_lab.web import Call


def etag(resource_id: str, version: int) -> str:
    """The ETag, without quotes: eight bytes in base64, different for each entity and version."""
    return base64.b64encode(struct.pack(">II", zlib.crc32(resource_id.lower().encode()), version)).decode()


def etag_header(resource_id: str, version: int) -> dict[str, str]:
    """The ETag as an HTTP header."""
    return {"ETag": f'"{etag(resource_id, version)}"'}


def require_match(call: Call, current: str | None) -> None:
    """Check an If-Match header that has to be there. `current` is None when the entity does not exist.

    Raises Problem 428 without the header and 412 when it names another version; "*" matches every one.
    """
    if "if-match" not in call.headers:
        raise precondition_required()
    check_match(call, current)


def check_match(call: Call, current: str | None) -> None:
    """Check an If-Match header that may be left out. Raises Problem 412."""
    wanted = call.headers.get("if-match", "*").strip()
    if wanted == "*" or current is None:
        return
    if current not in [candidate.strip().strip('"') for candidate in wanted.split(",")]:
        raise precondition_failed()
