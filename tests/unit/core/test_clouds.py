"""Clouds by name and from ARM metadata."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from apiward_core import clouds
from apiward_core.errors import ConfigurationError

METADATA = {
    "name": "AzureCustom",
    "authentication": {
        "loginEndpoint": "https://login.example.invalid/",
        "audiences": ["https://management.core.example.invalid/", "https://management.example.invalid/"],
    },
    "logAnalyticsResourceId": "https://api.logs.example.invalid",
    "portal": "https://portal.example.invalid/",
}


def test_a_custom_cloud_is_what_its_metadata_says() -> None:
    cloud = clouds.from_metadata("https://arm.example.invalid/", METADATA)
    assert cloud.arm_endpoint == "https://arm.example.invalid"
    assert cloud.authority_host == "https://login.example.invalid"
    assert cloud.arm_scope == "https://management.example.invalid/.default"
    assert cloud.logs_endpoint == "https://api.logs.example.invalid/v1"
    assert cloud.portal == "https://portal.example.invalid"
    assert not cloud.instance_discovery


def test_metadata_without_a_needed_field_is_refused_by_name() -> None:
    without = {name: value for name, value in METADATA.items() if name != "logAnalyticsResourceId"}
    with pytest.raises(ConfigurationError, match="logAnalyticsResourceId"):
        clouds.from_metadata("https://arm.example.invalid", without)


def beginning_alike(endpoint: str) -> str:
    """An address at a host of somebody else whose name begins with that of the endpoint."""
    return f"https://{urlsplit(endpoint).hostname}.example.invalid/box"


def _metadata(
    *, audience: str = "https://management.example.invalid/", logs: str = "https://logs.example.invalid"
) -> Any:
    return {
        **METADATA,
        "authentication": {"loginEndpoint": "x", "audiences": [audience]},
        "logAnalyticsResourceId": logs,
    }


AZURE = [
    _metadata(audience="https://management.azure.com/"),
    _metadata(audience="https://management.core.windows.net/"),
    _metadata(audience="https://VAULT.azure.net."),
    _metadata(audience="https://management.usgovcloudapi.net"),
    _metadata(logs="https://api.loganalytics.io"),
]


@pytest.mark.parametrize("metadata", AZURE)
@pytest.mark.parametrize(
    "endpoint", ["https://arm.example.invalid", "https://evil.cloudapp.azure.com", "https://127.0.0.1.example.invalid"]
)
def test_no_other_host_may_name_an_audience_of_azure(endpoint: str, metadata: Any) -> None:
    with pytest.raises(ConfigurationError, match="tokens that open Azure would be sent to"):
        clouds.from_metadata(endpoint, metadata)


@pytest.mark.parametrize("metadata", AZURE)
@pytest.mark.parametrize(
    "endpoint", ["https://127.0.0.1:8443", "https://127.9.9.9", "https://[::1]:1", "https://localhost"]
)
def test_loopback_may_name_any_audience(endpoint: str, metadata: Any) -> None:
    assert clouds.from_metadata(endpoint, metadata).arm_endpoint == endpoint


def test_a_cloud_itself_may_name_its_audiences_and_no_others() -> None:
    assert clouds.from_metadata("https://management.azure.com", AZURE[1]).arm_endpoint == "https://management.azure.com"
    with pytest.raises(ConfigurationError, match="'usgov'"):
        clouds.from_metadata("https://management.azure.com", AZURE[3])


def test_an_audience_that_is_no_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no address"):
        clouds.from_metadata("https://arm.example.invalid", _metadata(audience="797f4846-ba00-4fd7-ba43-dac1f8f63013"))


def test_china_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match="retired Sentinel"):
        clouds.named("china")


def test_an_unknown_cloud_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="public, usgov, or 'custom'"):
        clouds.named("germany")


@pytest.mark.parametrize(
    ("cloud", "endpoint"),
    [
        (clouds.PUBLIC, "https://dce-one.westeurope-1.ingest.monitor.azure.com"),
        (clouds.US_GOVERNMENT, "https://dce-one.usgovvirginia-1.ingest.monitor.azure.us"),
        (clouds.PUBLIC, "https://127.0.0.1:4443"),
    ],
)
def test_rows_go_to_hosts_of_the_cloud_and_to_none_that_begin_alike(cloud: clouds.Cloud, endpoint: str) -> None:
    clouds.require_ingestion_endpoint(cloud, endpoint)
    with pytest.raises(ConfigurationError, match=r"ingestion_endpoint .* is refused"):
        clouds.require_ingestion_endpoint(cloud, beginning_alike(endpoint))


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://ingest.monitor.azure.com.example.invalid",
        "https://evilingest.monitor.azure.com",
        "https://vm.westeurope.cloudapp.azure.com",
        "https://dce-one.usgovvirginia-1.ingest.monitor.azure.us",
    ],
)
def test_a_token_for_ingestion_goes_nowhere_else(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no host of ingest\.monitor\.azure\.com"):
        clouds.require_ingestion_endpoint(clouds.PUBLIC, endpoint)


@pytest.mark.parametrize(
    ("cloud", "endpoint"),
    [
        (clouds.PUBLIC, "https://contoso.blob.core.windows.net/box"),
        (clouds.PUBLIC, "https://contoso.z07.blob.storage.azure.net/box"),
        (clouds.US_GOVERNMENT, "https://contoso.blob.core.usgovcloudapi.net/box"),
        (clouds.from_metadata("https://arm.example.invalid", METADATA), "https://contoso.blob.core.windows.net/box"),
        (clouds.PUBLIC, "https://127.0.0.1:10000/devstoreaccount1/box"),
    ],
    ids=["public", "DNS zone", "usgov", "custom", "loopback"],
)
def test_state_goes_to_blob_hosts_of_the_cloud_and_to_none_that_begin_alike(cloud: clouds.Cloud, endpoint: str) -> None:
    clouds.require_blob_endpoint(cloud, endpoint)
    with pytest.raises(ConfigurationError, match=r"state_container .* is refused"):
        clouds.require_blob_endpoint(cloud, beginning_alike(endpoint))


@pytest.mark.parametrize(
    ("cloud", "endpoint"),
    [
        (clouds.PUBLIC, "https://blob.core.windows.net.example.invalid/box"),
        (clouds.PUBLIC, "https://evilblob.core.windows.net/box"),
        (clouds.PUBLIC, "https://contoso.blob.core.usgovcloudapi.net/box"),
        (clouds.PUBLIC, "https://contoso.queue.core.windows.net/box"),
        (clouds.US_GOVERNMENT, "https://contoso.blob.core.windows.net/box"),
        (clouds.from_metadata("https://arm.example.invalid", METADATA), "https://blobs.example.invalid/box"),
    ],
    ids=["suffix", "look-alike", "other cloud", "queue", "public from usgov", "custom"],
)
def test_a_token_for_storage_goes_nowhere_else(cloud: clouds.Cloud, endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"state_container .* is no host of blob\.core\."):
        clouds.require_blob_endpoint(cloud, endpoint)
