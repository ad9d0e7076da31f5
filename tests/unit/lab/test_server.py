import gzip
from pathlib import Path

import pytest
import requests

from apiward_lab.dispatch import Incoming
from apiward_lab.server import Server
from apiward_lab.tls import Certificates
from apiward_lab.web import Reply


class Echo:
    """Answers with what came in, and keeps it."""

    def __init__(self) -> None:
        self.last: Incoming | None = None

    def __call__(self, incoming: Incoming) -> Reply:
        self.last = incoming
        if incoming.method == "HEAD":
            return Reply(200, None, {"ETag": '"1"'})
        return Reply(200, {"path": incoming.path, "query": dict(incoming.query)})


def test_paths_stay_encoded_and_queries_are_decoded(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with Server(Echo(), tls=certificates.server_context()) as server:
        url = f"{server.base_url}//apis/a%3Brev%3D2?%24filter=name%20eq%20'x'"
        body = requests.get(url, verify=str(certificates.ca_bundle), timeout=10).json()
    assert body == {"path": "/apis/a%3Brev%3D2", "query": {"$filter": "name eq 'x'"}}


def test_compressed_bodies_arrive_as_they_were_sent(tmp_path: Path) -> None:
    certificates, echo, sent = Certificates(tmp_path), Echo(), gzip.compress(b"[]" * 1000)
    with Server(echo, tls=certificates.server_context()) as server:
        headers = {"Content-Encoding": "gzip"}
        requests.post(server.base_url, sent, headers=headers, verify=str(certificates.ca_bundle), timeout=10)
    assert echo.last is not None
    assert echo.last.body == sent


def test_a_head_answer_has_headers_and_no_body(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with Server(Echo(), tls=certificates.server_context()) as server:
        answer = requests.head(server.base_url, verify=str(certificates.ca_bundle), timeout=10)
    assert (answer.headers["ETag"], answer.content) == ('"1"', b"")


def test_clients_that_do_not_trust_the_authority_are_turned_away(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificates, other = Certificates(tmp_path), Certificates(tmp_path / "other")
    with (
        Server(Echo(), tls=certificates.server_context()) as server,
        pytest.raises(requests.exceptions.SSLError),
    ):
        requests.get(server.base_url, verify=str(other.ca_bundle), timeout=10)


def test_a_port_that_is_taken_is_an_error_at_the_start(tmp_path: Path) -> None:
    context = Certificates(tmp_path).server_context()
    with Server(Echo(), tls=context) as first:
        port = int(first.base_url.rpartition(":")[2])
        second = Server(Echo(), tls=context, port=port)
        with pytest.raises(OSError, match="address already in use"):
            second.start()
        second.stop()
