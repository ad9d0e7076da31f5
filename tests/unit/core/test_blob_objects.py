"""What the container adds to the promises of an object store."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import ContainerClient, ExponentialRetry
from requests.adapters import HTTPAdapter

from apiward_core.blob_objects import BlobObjects
from apiward_core.clients import AzureClients
from apiward_core.errors import AccessError, ConfigurationError, ConflictError
from apiward_core.objects import ObjectStore, Stored
from apiward_core.settings import explicit_settings
from tests.azurite import Azurite, StorageCredential
from tests.unit.connector.transport import Credential
from tests.unit.core.test_objects import BIG, NAME
from tests.unit.core.web import Web


class LosesFirstAnswer(HTTPAdapter):
    """A way to a service on which the answer to the first write is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        answer = super().send(request, *arguments, **options)
        if request.method == "PUT":
            self.writes += 1
            if self.writes == 1:
                answer.close()
                raise requests.ConnectionError("Connection reset by peer")
        return answer


def test_a_write_whose_answer_was_lost_is_no_conflict(azurite: Azurite) -> None:
    way = LosesFirstAnswer()
    with azurite.made_container("lost-answer"), requests.Session() as session:
        session.mount("https://", way)
        transport = RequestsTransport(session=session, session_owner=False, connection_verify=str(azurite.ca))
        at_once = ExponentialRetry(initial_backoff=0, increment_base=0, random_jitter_range=0)
        container = azurite.container("lost-answer", transport=transport, retry_policy=at_once)
        etag = BlobObjects(container).write(NAME, b"1", etag=None)
        assert (way.writes, BlobObjects(container).read(NAME)) == (2, Stored(b"1", etag))


def test_an_object_of_which_somebody_took_a_snapshot_is_deleted(azurite: Azurite) -> None:
    with azurite.made_container("snapshots") as container:
        store = BlobObjects(container)
        store.put(NAME, b"1")
        container.get_blob_client(NAME).create_snapshot()
        store.delete(NAME)
        assert store.names("") == []


def test_the_container_of_the_settings_is_used_with_a_token_for_storage_alone(azurite: Azurite) -> None:
    settings = explicit_settings(state_container=f"{azurite.blob_url}/by-settings", ca_bundle=azurite.ca)
    credential = StorageCredential()
    with azurite.made_container("by-settings"), AzureClients(settings, credential=credential) as clients:
        store = BlobObjects(clients.blob_container())
        etag = store.write(NAME, BIG, etag=None)
        assert store.read(NAME) == Stored(BIG, etag)
    assert set(credential.scopes) == {"https://storage.azure.com/.default"}


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.read(NAME),
        lambda store: store.write(NAME, b"", etag=None),
        lambda store: store.put(NAME, b""),
        lambda store: store.delete(NAME),
        lambda store: store.names(""),
    ],
    ids=["read", "write", "put", "delete", "names"],
)
def test_a_container_that_is_missing_is_no_empty_one(azurite: Azurite, use: Callable[[ObjectStore], object]) -> None:
    unusable = pytest.raises(ConfigurationError, match=r"/missing cannot be used.*state_container")
    with azurite.container("missing") as container, unusable:
        use(BlobObjects(container))


def test_a_refusal_names_the_object_and_hides_the_signature() -> None:
    url = "https://contoso.blob.core.windows.net/box?sv=2025-11-05&sig=hunter2"
    web = Web((403, {"x-ms-error-code": "AuthorizationPermissionMismatch"}, b""))
    container = ContainerClient.from_container_url(url, transport=web.transport())
    with container, pytest.raises(AccessError, match=f"reading {NAME} in https://contoso") as told:
        BlobObjects(container).read(NAME)
    assert "sig=hunter2" in str(web.requests[0].url)
    assert "hunter2" not in str(told.value)


def test_an_object_that_changes_while_it_is_read_is_a_conflict() -> None:
    first_block = {"Content-Range": "bytes 0-3/8", "Content-Length": "4", "ETag": '"1"', "x-ms-blob-type": "BlockBlob"}
    web = Web((206, first_block, b"aaaa"), (412, {"x-ms-error-code": "ConditionNotMet"}, b""))
    container = ContainerClient.from_container_url(
        "https://contoso.blob.core.windows.net/box",
        Credential(),
        transport=web.transport(),
        max_single_get_size=4,
        max_chunk_get_size=4,
    )
    with container, pytest.raises(ConflictError, match=f"reading {NAME}"):
        BlobObjects(container).read(NAME)
    assert web.requests[1].headers["If-Match"] == '"1"'
