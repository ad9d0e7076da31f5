"""Finding a custom cloud by its metadata, before any client is made."""

import orjson
import pytest

from apiward_core.clients import AzureClients
from apiward_core.errors import ConfigurationError
from apiward_core.settings import explicit_settings
from tests.unit.core.web import JSON, Web

ENDPOINT = "https://arm.example.invalid"
PUBLIC_AUDIENCES = {
    "authentication": {
        "loginEndpoint": "https://login.microsoftonline.com",
        "audiences": ["https://management.azure.com/"],
    },
    "logAnalyticsResourceId": "https://api.loganalytics.io",
    "portal": "https://portal.azure.com",
}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>Sign in to the proxy</html>", "is no JSON"),
        (b"[]", "lacks"),
        (orjson.dumps(PUBLIC_AUDIENCES), "tokens that open Azure would be sent to arm.example.invalid"),
    ],
    ids=["html", "list", "audience of Azure"],
)
def test_an_endpoint_that_is_no_trustworthy_arm_is_refused(body: bytes, words: str) -> None:
    web = Web((200, JSON, body))
    settings = explicit_settings(cloud="custom", arm_endpoint=ENDPOINT, credential="developer")
    with pytest.raises(ConfigurationError, match=words) as refused:
        AzureClients(settings, transport=web.transport())
    assert ENDPOINT in str(refused.value)


def test_no_container_outside_of_azure_is_shown_a_token() -> None:
    settings = explicit_settings(state_container="https://blobs.example.invalid/box")
    with AzureClients(settings) as clients, pytest.raises(ConfigurationError, match="is no host of"):
        clients.blob_container()
