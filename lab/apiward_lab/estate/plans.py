"""The Defender plans that can be had, and which subscription has which.

Names of plans and extensions as in the examples of Microsoft.Security/pricings 2024-01-01; ApiPosture is the extension
of CloudPosture from which API posture of Function and Logic Apps comes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from apiward_lab.estate.model import DefenderPlan


@dataclass(frozen=True)
class Offer:
    """What a plan offers. The first sub-plan is the one that counts when none is named."""

    name: str
    sub_plans: Sequence[str] = ()
    extensions: Sequence[str] = ()


_OFFERS = (
    Offer("VirtualMachines", ("P2", "P1"), ("AgentlessVmScanning", "MdeDesignatedSubscription")),
    Offer("SqlServers"),
    Offer("AppServices"),
    Offer("StorageAccounts", ("DefenderForStorageV2",), ("OnUploadMalwareScanning", "SensitiveDataDiscovery")),
    Offer("KeyVaults", ("PerKeyVault", "PerTransaction")),
    Offer("Arm", ("PerSubscription", "PerApiCall")),
    Offer("Containers", (), ("ContainerRegistriesVulnerabilityAssessments", "AgentlessDiscoveryForKubernetes")),
    Offer(
        "CloudPosture",
        (),
        ("AgentlessVmScanning", "SensitiveDataDiscovery", "EntraPermissionsManagement", "ApiPosture"),
    ),
    Offer("Api", ("P1", "P2", "P3", "P4", "P5")),
)
OFFERS: Mapping[str, Offer] = {offer.name.lower(): offer for offer in _OFFERS}

# plan, sub-plan in each of the three subscriptions: "" the default one, None the plan is off
_SEEDED: Sequence[tuple[str, Sequence[str | None]]] = (
    ("VirtualMachines", ("P2", "P2", None)),
    ("SqlServers", (None, "", None)),
    ("AppServices", ("", None, None)),
    ("StorageAccounts", ("", "", None)),
    ("KeyVaults", ("", "", None)),
    ("Arm", ("", "", None)),
    ("Containers", (None, None, None)),
    ("CloudPosture", ("", "", None)),
    ("Api", ("P1", "P3", None)),
)
_ENABLED_AGO = timedelta(days=400)


def seeded_plans(index: int, at: datetime) -> dict[str, DefenderPlan]:
    """The plans of a subscription, by name in lower case. `index` is its place in the catalogue, `at` the present."""
    return {name.lower(): _seeded(OFFERS[name.lower()], chosen[index], at) for name, chosen in _SEEDED}


def extensions(offer: Offer) -> Sequence[Mapping[str, Any]]:
    """The extensions of a plan that was just switched on: all of them."""
    return [{"name": name, "isEnabled": "True"} for name in offer.extensions]


def _seeded(offer: Offer, sub_plan: str | None, at: datetime) -> DefenderPlan:
    if sub_plan is None:
        return DefenderPlan(offer.name, "Free")
    chosen = sub_plan or next(iter(offer.sub_plans), "")
    return DefenderPlan(offer.name, "Standard", chosen, extensions(offer), enabled=at - _ENABLED_AGO)
