"""Settings are validated whole; messages name the setting and never show a secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from apiward_core.errors import ConfigurationError
from apiward_core.settings import explicit_settings

TENANT = "aaaaaaaa-0000-4000-8000-000000000001"
CLIENT = "aaaaaaaa-0000-4000-8000-000000000002"
WORKSPACE = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg-sec"
    "/providers/Microsoft.OperationalInsights/workspaces/law"
)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"cloud": "custom"}, "arm_endpoint go together"),
        ({"arm_endpoint": "https://arm.example.invalid"}, "arm_endpoint go together"),
        ({"cloud": "china", "logs_endpoint": "https://logs.example.invalid"}, "retired Sentinel"),
        ({"cloud": "germany"}, "public, usgov, or 'custom'"),
        ({"logs_endpoint": "https://logs.example.invalid"}, "logs_endpoint needs cloud = 'custom'"),
        ({"cloud": "custom", "arm_endpoint": "http://arm.example.invalid"}, "must be https"),
        ({"credential": "client_secret", "tenant_id": TENANT}, "also needs client_id, client_secret"),
        ({"credential": "workload_identity"}, "also needs tenant_id, client_id, federated_token_file"),
        ({"credential": "password"}, "credential: Input should be"),
        ({"subscriptions": ["production"]}, "subscriptions.0"),
        ({"workspace_id": WORKSPACE.replace("workspaces", "clusters")}, "Log Analytics workspace"),
        ({"workspace_id": "law"}, "is no ARM id"),
        ({"dcr_immutable_id": "dcr-1"}, "dcr_immutable_id"),
        ({"ca_bundle": "/nowhere/ca.pem"}, "ca_bundle: there is no file /nowhere/ca.pem"),
        ({"state_container": "http://contoso.blob.core.windows.net/box"}, "state_container: must be https"),
        ({"state_container": "https://contoso.blob.core.windows.net"}, "must end with the container's name"),
        ({"state_container": "https://contoso.blob.core.windows.net/Box_1"}, "must end with the container's name"),
        ({"state_container": "https://contoso.blob.core.windows.net/box/a/b"}, "must end with the container's name"),
        ({"state_container": "https://contoso.blob.core.windows.net/box?sv=1"}, "must be an address alone"),
        ({"state_container": "https://me:it@contoso.blob.core.windows.net/box"}, "must be an address alone"),
        ({"management_groups": ["Landing Zones"]}, "'Landing Zones' is no id of a management group"),
        ({"management_groups": ["../x"]}, "no id of a management group"),
        ({"management_groups": ["group."]}, "no id of a management group"),
        ({"management_groups": ["g" * 91]}, "no id of a management group"),
        ({"concurrency": 0}, "concurrency"),
        ({"throttle_patience": 0}, "throttle_patience"),
        ({"plan_ttl_hours": 0}, "plan_ttl_hours"),
        ({"plan_ttl": 3}, "there is no setting plan_ttl"),
    ],
)
def test_wrong_settings_are_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError, match="settings are not valid") as refused:
        explicit_settings(**values)
    assert words in str(refused.value)


def test_a_secret_is_in_no_message_and_no_representation() -> None:
    secret = "hunter2-" * 4
    with pytest.raises(ConfigurationError) as refused:
        explicit_settings(credential="client_secret", client_secret=secret)
    assert secret not in str(refused.value)
    whole = explicit_settings(credential="client_secret", client_secret=secret, tenant_id=TENANT, client_id=CLIENT)
    assert secret not in repr(whole)
    with pytest.raises(ConfigurationError) as signed:
        explicit_settings(state_container=f"https://contoso.blob.core.windows.net/box?sig={secret}")
    assert secret not in str(signed.value)


def test_change_scopes_are_the_subscriptions_unless_narrowed() -> None:
    subscription = "11111111-2222-3333-4444-555555555555"
    assert [scope.text for scope in explicit_settings(subscriptions=[subscription]).change_scopes] == [
        f"/subscriptions/{subscription}"
    ]
    group = f"/subscriptions/{subscription}/resourceGroups/rg"
    narrowed = explicit_settings(subscriptions=[subscription], allowed_scopes=[group])
    assert [scope.text for scope in narrowed.change_scopes] == [group]


def test_a_missing_setting_is_named_with_its_variable() -> None:
    with pytest.raises(ConfigurationError, match="APIWARD_WORKSPACE_ID"):
        explicit_settings().require("workspace_id")


def _loaded(folder: Path, **environment: str) -> str:
    program = (
        "from apiward_core.settings import load_settings; s = load_settings(); print(s.first_run, s.subscriptions)"
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("APIWARD_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that even root cannot read")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "apiward.toml").symlink_to("/proc/self/mem")
    program = "from apiward_core.settings import load_settings\nload_settings()"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "ConfigurationError: apiward.toml cannot be read: Input/output error." in done.stderr


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    first, second = ("11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666")
    (tmp_path / "apiward.toml").write_text(f'first_run = "baseline"\nsubscriptions = ["{first}"]\n')
    assert _loaded(tmp_path) == f"baseline ['{first}']"
    listed = f"{first}, {second}"
    assert (
        _loaded(tmp_path, APIWARD_FIRST_RUN="raise", APIWARD_SUBSCRIPTIONS=listed) == f"raise ['{first}', '{second}']"
    )
