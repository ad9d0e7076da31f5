"""Analytics rules through azure-mgmt-securityinsight, at the api-version that has every field that we ship."""

from typing import Any

import orjson
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import ScheduledAlertRule

from apiward_core.arm_id import ArmId
from apiward_core.content import Json
from apiward_core.errors import azure_errors


class _Rule(ScheduledAlertRule):
    """The SDK's model of 2021-10-01 with the field that later versions added: without it, a write empties it."""

    _attribute_map = {  # noqa: RUF012 - so the SDK's models declare it
        **ScheduledAlertRule._attribute_map,  # noqa: SLF001 - the SDK's own way to extend a model
        "techniques": {"key": "properties.techniques", "type": "[str]"},
    }

    def __init__(self, *, techniques: list[str], **fields: Any) -> None:
        super().__init__(**fields)
        self.techniques = techniques


class SentinelRules:
    """The alert rules of a subscription's workspaces, addressed by ARM id."""

    def __init__(self, client: SecurityInsights) -> None:
        self._rules = client.alert_rules

    def get(self, path: str, *, api_version: str) -> Json:
        """The rule's resource. Raises MissingError when there is none."""
        with azure_errors(f"reading {path}"):
            found: Any = self._rules.get(*_address(path), api_version=api_version, cls=_body)
        return dict(found)

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        """Create or replace the rule. Raises ConflictError when the etag in `body` is stale."""
        with azure_errors(f"writing {path}"):
            stored: Any = self._rules.create_or_update(
                *_address(path), _model(body), api_version=api_version, cls=_body
            )
        return dict(stored)


def _address(path: str) -> tuple[str, str, str]:
    rule = ArmId.parse(path)
    return rule.resource_group, rule.top_level().name, rule.name


def _body(response: Any, _: object, __: object) -> Any:
    return orjson.loads(response.http_response.body())


def _model(body: Json) -> _Rule:
    read: Any = ScheduledAlertRule.deserialize
    known = read(body)
    fields = {name: getattr(known, name) for name in _WRITABLE}
    return _Rule(techniques=body["properties"].get("techniques", []), **fields)


_WRITABLE = tuple(
    name
    for name in ScheduledAlertRule._attribute_map  # noqa: SLF001
    if name != "kind" and not ScheduledAlertRule._validation.get(name, {}).get("readonly")  # noqa: SLF001
)
