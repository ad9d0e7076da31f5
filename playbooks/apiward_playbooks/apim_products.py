"""Which product a set of APIs shares.

Source: Microsoft.ApiManagement 2024-05-01, ApiProduct_ListByApis and ProductApi_ListByProduct.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Any

from apiward_core.arm_id import ArmId
from apiward_core.clients import AzureClients
from apiward_core.errors import MissingError, azure_errors


def products_of(clients: AzureClients, service: ArmId, apis: Iterable[str]) -> dict[str, set[str]]:
    """The products of each API of a service that still exists: published ones that can be subscribed to."""
    found = {api: _products(clients, service, api) for api in apis}
    return {api: products for api, products in found.items() if products is not None}


def narrowest_shared(clients: AzureClients, service: ArmId, products: dict[str, set[str]]) -> str | None:
    """The product that all the APIs share and that has the fewest others; None when they share none."""
    shared = reduce(set.intersection, products.values())
    sizes = {product: _size(clients, service, product) for product in shared}
    return min(sorted(sizes), key=sizes.__getitem__, default=None)


def _products(clients: AzureClients, service: ArmId, api: str) -> set[str] | None:
    client = clients.api_management(service.subscription_id).api_product
    try:
        with azure_errors(f"reading the products of API {api} of {service.text}"):
            found: Iterable[Any] = client.list_by_apis(service.resource_group, service.name, api)
            return {p.name for p in found if p.state == "published" and p.subscription_required is not False}
    except MissingError:
        return None


def _size(clients: AzureClients, service: ArmId, product: str) -> int:
    client = clients.api_management(service.subscription_id).product_api
    with azure_errors(f"reading the APIs of product {product} of {service.text}"):
        return sum(1 for _ in client.list_by_product(service.resource_group, service.name, product))
