"""Entities: from a rule's mappings and a row to what incidents and alerts show (EntityTypes 2021-10-01)."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_ENTITIES = 500
"""Of one alert (Microsoft Sentinel service limits)."""

REQUIRED = {
    "Account": ("FullName", "Sid", "Name", "AadUserId", "PUID", "ObjectGuid"),
    "AzureResource": ("ResourceId",),
    "CloudApplication": ("AppId", "Name"),
    "DNS": ("DomainName",),
    "File": ("Name",),
    "FileHash": ("Algorithm", "Value"),
    "Host": ("FullName", "HostName", "NetBiosName", "AzureID", "OMSAgentID"),
    "IP": ("Address",),
    "Mailbox": ("MailboxPrimaryAddress",),
    "MailCluster": ("Query",),
    "MailMessage": ("Recipient",),
    "Malware": ("Name",),
    "Process": ("CommandLine", "ProcessId"),
    "RegistryKey": ("Key", "Hive"),
    "RegistryValue": ("Name",),
    "SecurityGroup": ("DistinguishedName", "SID", "ObjectGuid"),
    "SubmissionMail": ("NetworkMessageId",),
    "URL": ("Url",),
}
"""Entity types of a mapping, each with the identifiers of which one must be mapped."""

_KINDS = {"IP": "Ip", "URL": "Url", "DNS": "DnsResolution"}
_ALERT_TYPES = {
    "AzureResource": "azure-resource",
    "CloudApplication": "cloud-application",
    "DNS": "dns",
    "FileHash": "filehash",
    "MailCluster": "mail-cluster",
    "MailMessage": "mailMessage",
    "RegistryKey": "registry-key",
    "RegistryValue": "registry-value",
    "SecurityGroup": "security-group",
    "SubmissionMail": "submissionMail",
}
_NAMES = {
    ("Account", "FullName"): "accountName",
    ("Account", "Name"): "accountName",
    ("CloudApplication", "Name"): "appName",
    ("File", "Name"): "fileName",
    ("Host", "FullName"): "hostName",
    ("Malware", "Name"): "malwareName",
}
_NAMESPACE = uuid.UUID("7b6cc1a0-58ab-4d1c-8a0e-3a7f7dd40a55")


@dataclass(frozen=True)
class Entity:
    """One thing that an alert is about; `values` are (identifier, text) pairs of its mapping."""

    type: str
    values: tuple[tuple[str, str], ...]

    @property
    def identity(self) -> str:
        """A GUID that is the same wherever the same entity appears."""
        return str(uuid.uuid5(_NAMESPACE, f"{self.type}|{sorted((key, value.lower()) for key, value in self.values)}"))

    @property
    def kind(self) -> str:
        """The type as resources spell it."""
        return _KINDS.get(self.type, self.type)

    def resource(self, workspace_id: str) -> dict[str, Any]:
        """The entity as an incident lists it."""
        properties = {_property(self.type, identifier): value for identifier, value in self.values}
        if self.type == "AzureResource":
            properties["subscriptionId"] = _subscription(properties.get("resourceId", ""))
        return {
            "id": f"{workspace_id}/providers/Microsoft.SecurityInsights/Entities/{self.identity}",
            "name": self.identity,
            "type": "Microsoft.SecurityInsights/Entities",
            "kind": self.kind,
            "properties": {**properties, "friendlyName": self.values[0][1].rsplit("/", 1)[-1]},
        }

    def in_alert(self, number: int) -> dict[str, Any]:
        """The entity as the column SecurityAlert.Entities has it."""
        return {"$id": str(number), **dict(self.values), "Type": _ALERT_TYPES.get(self.type, self.type.lower())}


def entities_of(mappings: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> tuple[Entity, ...]:
    """The distinct entities of some rows, in order of appearance, at most MAX_ENTITIES."""
    found: dict[str, Entity] = {}
    for row in rows:
        for mapping in mappings:
            values = tuple(
                (str(field["identifier"]), str(row[field["columnName"]]))
                for field in mapping["fieldMappings"]
                if row.get(field["columnName"]) not in {None, ""}
            )
            if values:
                entity = Entity(str(mapping["entityType"]), values)
                found.setdefault(entity.identity, entity)
        if len(found) >= MAX_ENTITIES:
            break
    return tuple(found.values())[:MAX_ENTITIES]


def _property(entity_type: str, identifier: str) -> str:
    return _NAMES.get((entity_type, identifier), identifier[:1].lower() + identifier[1:])


def _subscription(resource_id: str) -> str:
    parts = resource_id.split("/")
    return parts[2] if len(parts) > 2 and parts[1].lower() == "subscriptions" else ""  # noqa: PLR2004 - "", "subscriptions", id
