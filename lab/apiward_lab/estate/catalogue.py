"""The hand-written part of the estate, as data.

Six APIs offer an unencrypted protocol: in the first subscription two of apim-contoso-retail (one of them revision 2 of
the catalogue API), two of apim-contoso-orders and one (websocket) of apim-contoso-partner; in the second one of
apim-contoso-payments.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HTTPS = ("https",)
BOTH = ("http", "https")

SUBSCRIPTIONS = ("Contoso Retail Production", "Contoso Payments", "Contoso Sandbox")

# name, index of the subscription, location
GROUPS = (
    ("rg-retail-api", 0, "westeurope"),
    ("rg-retail-web", 0, "westeurope"),
    ("rg-security", 0, "westeurope"),
    ("rg-payments-api", 1, "northeurope"),
    ("rg-payments-data", 1, "northeurope"),
    ("rg-sandbox", 2, "eastus2"),
)


@dataclass(frozen=True)
class ApiRow:
    """One API."""

    name: str
    display_name: str
    path: str
    protocols: Sequence[str] = HTTPS
    api_type: str = "http"
    subscription_required: bool = True


@dataclass(frozen=True)
class ServiceRow:
    """One API Management service."""

    name: str
    group: str
    sku: str
    publisher: str
    apis: Sequence[ApiRow]
    virtual_network_type: str = "None"
    tags: Mapping[str, str] = field(default_factory=dict)


SERVICES = (
    ServiceRow(
        name="apim-contoso-retail",
        group="rg-retail-api",
        sku="Premium",
        publisher="Contoso Retail",
        virtual_network_type="External",
        tags={"owner": "retail-platform@contoso.example", "cost-center": "4711", "environment": "production"},
        apis=(
            ApiRow("catalogue", "Catalogue", "catalogue"),
            ApiRow("catalogue;rev=2", "Catalogue", "catalogue", BOTH),
            ApiRow("stores", "Stores", "stores", BOTH, subscription_required=False),
            ApiRow("customers-v1", "Customers", "customers/v1"),
            ApiRow("loyalty", "Loyalty Points", "loyalty"),
            ApiRow("reviews", "Product Reviews", "reviews", subscription_required=False),
            ApiRow("search", "Search", "search"),
        ),
    ),
    ServiceRow(
        name="apim-contoso-orders",
        group="rg-retail-api",
        sku="Standard",
        publisher="Contoso Retail",
        apis=(
            ApiRow("orders-v1", "Orders", "orders/v1", BOTH),
            ApiRow("orders-v2", "Orders", "orders/v2"),
            ApiRow("returns", "Returns", "returns", ("http",)),
            ApiRow("shipments", "Shipments", "shipments"),
            ApiRow("legacy-soap", "Warehouse", "warehouse", api_type="soap"),
        ),
    ),
    ServiceRow(
        name="apim-contoso-partner",
        group="rg-retail-web",
        sku="Basic",
        publisher="Contoso Partners",
        apis=(
            ApiRow("stock-feed", "Stock Feed", "stock-feed", ("ws", "wss"), api_type="websocket"),
            ApiRow("partner-chat", "Partner Chat", "chat", ("wss",), api_type="websocket"),
            ApiRow("onboarding", "Partner Onboarding", "onboarding"),
            ApiRow("price-lists", "<script>alert('Price Lists')</script>", "price-lists"),
        ),
    ),
    ServiceRow(
        name="apim-contoso-payments",
        group="rg-payments-api",
        sku="Premium",
        publisher="Contoso Payments",
        virtual_network_type="Internal",
        tags={"owner": "payments@contoso.example"},
        apis=(
            ApiRow("payments-v3", "Payments", "payments/v3"),
            ApiRow("refunds", "Refunds", "refunds"),
            ApiRow("card-tokens", "Card Tokens", "tokens"),
            ApiRow("settlement", "Settlement", "settlement", BOTH),
            ApiRow("fraud-score", "Fraud Score", "fraud"),
            ApiRow("exchange-rates", "Exchange Rates", "rates", subscription_required=False),
        ),
    ),
    ServiceRow(
        name="apim-contoso-sandbox",
        group="rg-sandbox",
        sku="Developer",
        publisher="Contoso Engineering",
        apis=(
            ApiRow("echo-api", "Echo API", "echo", subscription_required=False),
            ApiRow("petstore", "Swagger Petstore", "petstore"),
            ApiRow("hackathon-2025", "Hackathon 2025", "hackathon", subscription_required=False),
        ),
    ),
)

# name, resource group, https only, public blobs allowed
STORAGE = (
    ("stcontosoretail", "rg-retail-web", True, False),
    ("stcontosomedia", "rg-retail-web", True, True),
    ("stcontosopayments", "rg-payments-data", True, False),
    ("stcontosolegacy", "rg-payments-data", False, True),
    ("stcontososandbox", "rg-sandbox", False, False),
)

# name, resource group, management ports closed
MACHINES = (
    ("vm-retail-web-01", "rg-retail-web", True),
    ("vm-retail-web-02", "rg-retail-web", False),
    ("vm-payments-batch", "rg-payments-data", True),
    ("vm-sandbox-dev", "rg-sandbox", False),
)
