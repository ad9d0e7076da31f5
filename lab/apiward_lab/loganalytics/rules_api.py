"""Data collection rules over ARM (Microsoft.Insights 2023-03-11)."""

import json
import uuid
from collections.abc import Callable
from typing import Any

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.problems import not_found
from apiward_lab.loganalytics.registry import Registry, immutable_id
from apiward_lab.loganalytics.rules import Rule, parse_flows, parse_streams
from apiward_lab.loganalytics.timespans import format_datetime
from apiward_lab.web import Call, Problem, Reply

_READ_ONLY = ("immutableId", "endpoints", "provisioningState", "metadata")


class RulesApi:
    """Handlers for data collection rules."""

    def __init__(self, clock: VirtualClock, registry: Registry, base_url: Callable[[], str]) -> None:
        self._clock = clock
        self._registry = registry
        self._base_url = base_url

    def list(self, call: Call) -> Reply:
        """The rules of a subscription or resource group."""
        prefix = call.scope.split("/providers/")[0].lower() + "/"
        rules = [rule for rule in self._registry.rules() if rule.resource_id.lower().startswith(prefix)]
        return Reply(body={"value": [rule.document for rule in sorted(rules, key=lambda rule: rule.resource_id)]})

    def get(self, call: Call) -> Reply:
        """One rule."""
        return Reply(body=self._existing(call).document)

    def put(self, call: Call) -> Reply:
        """Create (201) or replace (200)."""
        body = call.json()
        if not isinstance(body, dict) or not body.get("location"):
            raise Problem(400, "LocationRequired", f"The location property is required for '{call.params['rule']}'.")
        existing = self._registry.rule(call.scope)
        if existing and existing.document.get("kind") != body.get("kind"):
            raise Problem(
                400,
                "InvalidPayload",
                f"The kind of data collection rule '{call.params['rule']}' is "
                f"'{existing.document.get('kind')}' and cannot be changed; delete the rule first.",
            )
        rule = self._parse(existing.resource_id if existing else call.scope, call, body, existing)
        self._registry.put_rule(rule)
        return Reply(200 if existing else 201, rule.document)

    def patch(self, call: Call) -> Reply:
        """Change the tags."""
        existing = self._existing(call)
        document = {**existing.document, "etag": _etag()}
        tags = call.json().get("tags")
        if tags is not None:
            document["tags"] = tags
        self._registry.put_rule(
            Rule(existing.resource_id, existing.immutable_id, existing.streams, existing.flows, document)
        )
        return Reply(body=document)

    def delete(self, call: Call) -> Reply:
        """Delete: 200, or 204 when there is none."""
        return Reply(200 if self._registry.drop_rule(call.scope) else 204)

    def _existing(self, call: Call) -> Rule:
        rule = self._registry.rule(call.scope)
        if rule is None:
            raise not_found("Microsoft.Insights/dataCollectionRules", call.params["rule"], call.params["group"])
        return rule

    def _parse(self, resource_id: str, call: Call, body: dict[str, Any], existing: Rule | None) -> Rule:
        properties = body.get("properties") or {}
        streams = parse_streams(properties)
        flows = parse_flows(properties, streams, self._registry.workspace)
        stored = json.loads(json.dumps({key: value for key, value in properties.items() if key not in _READ_ONLY}))
        for destination in stored["destinations"]["logAnalytics"]:
            workspace = self._registry.workspace(destination["workspaceResourceId"])
            destination["workspaceId"] = workspace.seed.customer_id if workspace else ""
        stored["immutableId"] = immutable_id(resource_id)
        stored["provisioningState"] = "Succeeded"
        if body.get("kind") == "Direct":
            stored["endpoints"] = {"logsIngestion": self._base_url(), "metricsIngestion": self._base_url()}
        document = {
            "id": resource_id,
            "name": call.params["rule"],
            "type": "Microsoft.Insights/dataCollectionRules",
            "location": body["location"],
            "properties": stored,
            "etag": _etag(),
            "systemData": self._system_data(call, existing),
        }
        document |= {key: body[key] for key in ("kind", "tags", "identity") if key in body}
        return Rule(resource_id, stored["immutableId"], streams, flows, document)

    def _system_data(self, call: Call, existing: Rule | None) -> dict[str, str]:
        by = call.principal.object_id if call.principal else "unknown"
        now = format_datetime(self._clock.now())
        changed = {"lastModifiedBy": by, "lastModifiedByType": "Application", "lastModifiedAt": now}
        created = {"createdBy": by, "createdByType": "Application", "createdAt": now}
        return {**(existing.document["systemData"] if existing else created), **changed}


def _etag() -> str:
    return f'"{uuid.uuid4()}"'
