"""Handlers of the links between products and APIs."""

from collections.abc import Callable

from apiward_lab.apim.entities import filtered_page
from apiward_lab.apim.kinds import API_FILTERABLE
from apiward_lab.apim.problems import api_not_found, not_found
from apiward_lab.estate import ApimService, Entity
from apiward_lab.web import Call, Json, Reply


class LinkHandlers:
    """The APIs of a product and the products of an API, each under the address of the other."""

    def __init__(self, find_service: Callable[[Call], ApimService]) -> None:
        self._find_service = find_service

    def apis_of_product(self, call: Call) -> Reply:
        """The APIs that a product opens; knows $filter, $top and $skip."""
        service = self._find_service(call)
        product = service.products.get(call.params["product"].lower())
        if product is None:
            raise not_found("Product")
        parent = service.child_id("products", product)
        linked = [service.apis[name] for name in sorted(product.apis) if name in service.apis]
        rows = [_linked(parent, "products/apis", api) for api in linked]
        return Reply(body=filtered_page(call, rows, API_FILTERABLE))

    def products_of_api(self, call: Call) -> Reply:
        """The products that open an API; knows $filter, $top and $skip."""
        service = self._find_service(call)
        api = service.apis.get(call.params["api"].lower())
        if api is None:
            raise api_not_found()
        linked = [product for _, product in sorted(service.products.items()) if api.name.lower() in product.apis]
        rows = [_linked(service.api_id(api), "apis/products", product) for product in linked]
        return Reply(body=filtered_page(call, rows, ("displayName",)))


def _linked(parent_id: str, resource_type: str, entity: Entity) -> Json:
    return {
        "id": f"{parent_id}/{resource_type.rpartition('/')[2]}/{entity.name}",
        "type": f"Microsoft.ApiManagement/service/{resource_type}",
        "name": entity.name,
        "properties": dict(entity.properties),
    }
