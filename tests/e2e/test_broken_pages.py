"""A page that breaks off on the way, over a real connection, is an error and never the end of the list."""

from contextlib import ExitStack
from pathlib import Path

import orjson
import pytest
from azure.mgmt.security import SecurityCenter

from apiward_connector.sources.assessments import AssessmentsSource
from apiward_core.errors import TransientError
from apiward_core.transport import make_transport
from tests.e2e.broken_server import BrokenServer
from tests.unit.connector.samples import SUBSCRIPTION
from tests.unit.connector.transport import Credential

WHOLE = b'{"value": [{"id": "a"}, {"id": "b"}]}'
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


def sized(body: bytes, *, told: int | None = None) -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n" % (len(body) if told is None else told) + body


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(WHOLE)
BROKEN = {
    "less than the length that was told": sized(WHOLE[:20], told=len(WHOLE)),
    "a whole document that is less than the length that was told": sized(WHOLE, told=len(WHOLE) + 1),
    "a document that breaks off": sized(WHOLE[:-1]),
    "an empty document": sized(b""),
    "a chunk that breaks off": CHUNKED + WHOLE[:20],
    "no last chunk": CHUNKED + WHOLE + b"\r\n",
    "no answer": b"",
    "half of a head": OK[:30],
}


@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_page_that_breaks_off_is_an_error(tmp_path: Path, broken: bytes, resets: bool) -> None:
    with BrokenServer(tmp_path, resets=resets) as server, ExitStack() as opened:
        link = f"{server.url}/next?api-version=2021-06-01"
        server.answer([sized(orjson.dumps({"value": [{"id": "first"}], "nextLink": link})), broken])
        client = opened.enter_context(
            SecurityCenter(
                Credential(),
                SUBSCRIPTION,
                base_url=server.url,
                credential_scopes=["scope"],
                transport=make_transport(connection_verify=str(server.ca_bundle)),
                retry_total=0,
            )
        )
        read = AssessmentsSource(lambda _: client).pages(SUBSCRIPTION)
        assert list(next(read)) == [{"id": "first"}]
        with pytest.raises(TransientError, match="while listing the assessments"):
            next(read)
