from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from apiward_connector.report import Gap
from apiward_connector.scopes import ExpectedScopes, Scopes
from apiward_connector.sources.management_groups import ManagementGroupsSource
from apiward_core.arm import ArmClient
from apiward_core.errors import AccessError, ConfigurationError, RejectedDataError
from apiward_core.settings import explicit_settings
from tests.unit.connector.transport import Credential, Replies

A, B, C, D = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abcd")
GROUPS = "/providers/Microsoft.Management/managementGroups"
ARM = "https://management.azure.com"


def group(name: str) -> dict[str, str]:
    return {"id": f"{GROUPS}/{name}", "type": GROUPS[1:], "name": name}


def subscription(name: str, kind: str = "/subscriptions") -> dict[str, str]:
    return {"id": f"/subscriptions/{name}", "type": kind, "name": name}


def descendants(*replies: Any) -> tuple[Replies, list[str]]:
    transport = Replies(*replies)
    arm = ArmClient(
        Credential(), base_url=ARM, credential_scopes=["scope"], user_agent="test", transport=transport, retry_total=0
    )
    return transport, list(ManagementGroupsSource(arm).descendants("Landing.Zones(1)"))


def test_subscriptions_at_any_depth_are_listed_to_the_end() -> None:
    link = f"{ARM}{GROUPS}/Landing.Zones(1)/descendants?api-version=2020-05-01&$skiptoken=a%20b"
    transport, found = descendants(
        (200, {"value": [group("nested"), subscription(A.upper())], "nextLink": link}),
        (200, {"value": [subscription(B, "Microsoft.Management/managementGroups/subscriptions")], "nextLink": None}),
    )
    assert found == [A, B]
    first, second = (request.url for request in transport.requests)
    assert first == f"{ARM}{GROUPS}/Landing.Zones(1)/descendants?api-version=2020-05-01"
    assert "skiptoken=a%20b" in second


def test_a_subscription_without_an_id_is_not_passed_over() -> None:
    with pytest.raises(RejectedDataError, match=r"Landing\.Zones.*'production'"):
        descendants((200, {"value": [subscription("production")]}))


def test_a_refused_list_is_an_error() -> None:
    with pytest.raises(AccessError, match="descendants"):
        descendants((403, {"error": {"code": "AuthorizationFailed", "message": "no role"}}))


class Tenant:
    """Management groups by id; one without a list may not be read."""

    def __init__(self, **groups: Sequence[str] | None) -> None:
        self.groups = groups

    def descendants(self, group_id: str) -> Iterable[str]:
        listed = self.groups[group_id]
        yield from (listed or ())[:1]
        if listed is None or "cut" in listed:
            raise AccessError(f"no role at {group_id}.", remedy="Give it one.")
        yield from listed[1:]

    def find(self, named: Sequence[str] = (), known: Sequence[str] = ()) -> Scopes:
        return ExpectedScopes(named, list(self.groups), descendants=self.descendants, known=lambda: known).find()


def test_what_is_expected_is_the_union_of_all_three_each_once() -> None:
    scopes = Tenant(one=[B, A], two=[C, B]).find([A.upper()], known=[D, C])
    assert scopes == Scopes((A, B, C, D), ())


def test_a_group_that_cannot_be_listed_is_told_and_takes_nothing_away() -> None:
    scopes = Tenant(one=None, two=[C]).find([A], known=[B])
    assert scopes.subscriptions == (A, C, B)
    assert scopes.unlisted == (Gap(f"{GROUPS}/one", "no role at one. Give it one."),)


def test_what_a_group_listed_before_it_failed_is_expected() -> None:
    scopes = Tenant(one=[A, "cut"]).find()
    assert scopes.subscriptions == (A,)
    assert len(scopes.unlisted) == 1


def test_a_state_store_that_cannot_be_read_is_no_empty_one() -> None:
    def unreadable() -> Iterable[str]:
        raise ConfigurationError("The folder is not readable.", remedy="Make it so.")

    with pytest.raises(ConfigurationError):
        ExpectedScopes([A], [], descendants=Tenant().descendants, known=unreadable).find()


def test_groups_are_named_in_the_settings_with_commas() -> None:
    settings = explicit_settings(management_groups="corp, Landing.Zones_(1)-x,z")
    assert settings.management_groups == ["corp", "Landing.Zones_(1)-x", "z"]
