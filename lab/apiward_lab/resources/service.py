"""Subscriptions (2022-12-01) and resource groups (2024-07-01)."""

from collections.abc import Sequence

from apiward_lab.estate import Estate, ResourceGroup, Subscription
from apiward_lab.rbac import AccessControl
from apiward_lab.web import Call, Json, Problem, Reply, Route

_SUBSCRIPTION_VERSIONS = ("2016-06-01", "2019-11-01", "2020-01-01", "2021-01-01", "2022-12-01")
_GROUP_VERSIONS = ("2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01", "2024-07-01")
_GROUPS_READ = "Microsoft.Resources/subscriptions/resourceGroups/read"


class Resources:
    """Lists what the caller can see; a subscription is listed for whoever holds any role in it."""

    def __init__(self, estate: Estate, access: AccessControl) -> None:
        self._estate = estate
        self._access = access

    @property
    def routes(self) -> Sequence[Route]:
        """Reads only: the estate's subscriptions and groups are given."""
        one = "/subscriptions/{subscription}"
        groups = one + "/resourceGroups"
        read = "Microsoft.Resources/subscriptions/read"
        return [
            Route("GET", "/subscriptions", self._list, _SUBSCRIPTION_VERSIONS),
            Route("GET", one, self._get, _SUBSCRIPTION_VERSIONS, action=read),
            Route("GET", groups, self._groups, _GROUP_VERSIONS, action=_GROUPS_READ),
            Route("GET", groups + "/{group}", self._group, _GROUP_VERSIONS, action=_GROUPS_READ),
        ]

    def _list(self, call: Call) -> Reply:
        caller = call.principal.object_id if call.principal else ""
        visible = [
            subscription
            for subscription in self._estate.subscriptions
            if self._access.has_any_role(caller, subscription.resource_id)
        ]
        return Reply(body={"value": [self._body(subscription) for subscription in visible]})

    def _get(self, call: Call) -> Reply:
        return Reply(body=self._body(self._subscription(call)))

    def _groups(self, call: Call) -> Reply:
        subscription = self._subscription(call)
        groups = [group for group in self._estate.groups if group.subscription_id == subscription.subscription_id]
        return Reply(body={"value": [_group_body(group) for group in groups]})

    def _group(self, call: Call) -> Reply:
        subscription, name = self._subscription(call), call.params["group"]
        for group in self._estate.groups:
            if group.subscription_id == subscription.subscription_id and group.name.lower() == name.lower():
                return Reply(body=_group_body(group))
        raise Problem(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")

    def _subscription(self, call: Call) -> Subscription:
        wanted = call.params["subscription"].lower()
        for subscription in self._estate.subscriptions:
            if subscription.subscription_id == wanted:
                return subscription
        raise Problem(404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found.")

    def _body(self, subscription: Subscription) -> Json:
        return {
            "id": subscription.resource_id,
            "subscriptionId": subscription.subscription_id,
            "tenantId": self._estate.tenant_id,
            "displayName": subscription.name,
            "state": "Enabled",
            "subscriptionPolicies": {
                "locationPlacementId": "Public_2014-09-01",
                "quotaId": "EnterpriseAgreement_2014-09-01",
                "spendingLimit": "Off",
            },
            "authorizationSource": "RoleBased",
            "managedByTenants": [],
        }


def _group_body(group: ResourceGroup) -> Json:
    return {
        "id": group.resource_id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "properties": {"provisioningState": "Succeeded"},
    }
