"""The shapes of the hand-written tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HTTPS = ("https",)
BOTH = ("http", "https")


@dataclass(frozen=True)
class ApiRow:
    """One API.

    Each of its `entities` can be listed, created, read, replaced and deleted; each of its `views` only listed and read;
    `actions` are the operations of a SOAP API. `silent` tells how many days ago an operation was last called; the
    others are called every day. `onboarded` counts where the subscription has Defender for APIs.
    """

    name: str
    display_name: str
    path: str
    protocols: Sequence[str] = HTTPS
    api_type: str = "http"
    subscription_required: bool = True
    entities: Sequence[str] = ()
    views: Sequence[str] = ()
    actions: Sequence[str] = ()
    silent: Mapping[str, int] = field(default_factory=dict)
    policy: str = ""
    is_sensitive: bool = False
    is_onboarded: bool = True


@dataclass(frozen=True)
class ProductRow:
    """One product. Each subscriber has a subscription to it and calls all of its APIs."""

    name: str
    display_name: str
    apis: Sequence[str]
    subscribers: Sequence[str]


@dataclass(frozen=True)
class AllApisRow:
    """One subscription of API Management whose scope is all APIs; its calls go to those that it `uses`."""

    name: str
    display_name: str
    uses: Sequence[str]
    state: str = "active"
    silent_days: int = 0


@dataclass(frozen=True)
class BackendRow:
    """One backend. The checks of its certificate are on unless they are switched off."""

    name: str
    url: str
    checks_chain: bool = True
    checks_name: bool = True


@dataclass(frozen=True)
class ServiceRow:
    """One API Management service."""

    name: str
    group: str
    sku: str
    publisher: str
    apis: Sequence[ApiRow]
    products: Sequence[ProductRow] = ()
    all_apis: Sequence[AllApisRow] = ()
    backends: Sequence[BackendRow] = ()
    virtual_network_type: str = "None"
    direct_management: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
