"""Clouds by name and from ARM metadata."""

import pytest

from apiward_core import clouds
from apiward_core.errors import ConfigurationError

METADATA = {
    "name": "AzureCustom",
    "portal": "https://portal.example.invalid/",
    "authentication": {
        "loginEndpoint": "https://login.example.invalid/",
        "audiences": ["https://management.core.example.invalid/", "https://management.example.invalid/"],
    },
    "logAnalyticsResourceId": "https://api.logs.example.invalid",
}


def test_a_custom_cloud_is_what_its_metadata_says() -> None:
    cloud = clouds.from_metadata("https://arm.example.invalid/", METADATA)
    assert cloud.arm_endpoint == "https://arm.example.invalid"
    assert cloud.authority_host == "https://login.example.invalid"
    assert cloud.arm_scope == "https://management.example.invalid/.default"
    assert cloud.logs_endpoint == "https://api.logs.example.invalid/v1"
    assert not cloud.instance_discovery


def test_metadata_without_a_needed_field_is_refused_by_name() -> None:
    without = {name: value for name, value in METADATA.items() if name != "logAnalyticsResourceId"}
    with pytest.raises(ConfigurationError, match="logAnalyticsResourceId"):
        clouds.from_metadata("https://arm.example.invalid", without)


def test_china_is_refused_with_the_reason() -> None:
    with pytest.raises(ConfigurationError, match="retired Sentinel"):
        clouds.named("china")


def test_an_unknown_cloud_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="public, usgov, or 'custom'"):
        clouds.named("germany")
