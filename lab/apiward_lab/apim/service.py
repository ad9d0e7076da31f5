"""Routes of Microsoft.ApiManagement at api-version 2024-05-01."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from apiward_lab.apim import kinds
from apiward_lab.apim.apis import ApiHandlers
from apiward_lab.apim.entities import EntityHandlers, Shelf
from apiward_lab.apim.links import LinkHandlers
from apiward_lab.apim.long_running import Operations
from apiward_lab.apim.reports import ReportHandlers
from apiward_lab.apim.services import ServiceHandlers
from apiward_lab.clock import VirtualClock
from apiward_lab.estate import ApimService, Entity, Estate, Operation, Product
from apiward_lab.web import Call, Handler, Route

E = TypeVar("E", bound=Entity)

_VERSIONS = ("2024-05-01",)
_ACTION = "Microsoft.ApiManagement/service"
_GROUP = "/subscriptions/{subscription}/resourceGroups/{group}"
_SERVICES = "/providers/Microsoft.ApiManagement/service"
_SERVICE = _GROUP + _SERVICES + "/{service}"
_API = "/apis/{api}"


class ApiManagement:
    """Services and what is in them."""

    def __init__(self, estate: Estate, clock: VirtualClock) -> None:
        self._long_running = Operations()
        self._services = ServiceHandlers(estate)
        find = self._services.find
        self._apis = ApiHandlers(find, self._long_running)
        self._links = LinkHandlers(find)
        self._reports = ReportHandlers(find, clock)
        self._operations = EntityHandlers(
            kinds.OPERATION, self._apis.operations, parameter="operation", create=Operation
        )
        self._subscriptions = EntityHandlers(
            kinds.SUBSCRIPTION, _in_service(find, lambda it: it.subscriptions), parameter="name", create=Entity
        )
        self._backends = EntityHandlers(
            kinds.BACKEND, _in_service(find, lambda it: it.backends), parameter="backend", create=Entity
        )
        self._products = EntityHandlers(
            kinds.PRODUCT, _in_service(find, lambda it: it.products), parameter="product", create=Product
        )
        self._tenant = EntityHandlers(
            kinds.TENANT_ACCESS, _in_service(find, lambda it: it.tenant_access), parameter="access", create=Entity
        )

    @property
    def routes(self) -> Sequence[Route]:
        """The operations, each guarded by the action that Microsoft publishes for it."""
        return [
            *self._service_routes(),
            *self._api_routes(),
            *_entity_routes(self._operations, _API + "/operations/{operation}", deletes=True, puts=True),
            *_entity_routes(self._subscriptions, "/subscriptions/{name}"),
            _route("POST", "/subscriptions/{name}/listSecrets", self._subscriptions.secrets, "action"),
            *_entity_routes(self._backends, "/backends/{backend}"),
            *_entity_routes(self._products, "/products/{product}"),
            *_entity_routes(self._tenant, "/tenant/{access}"),
            _route("GET", _API + "/products", self._links.products_of_api, "read"),
            _route("GET", "/products/{product}/apis", self._links.apis_of_product, "read"),
            *self._report_routes(),
        ]

    def _service_routes(self) -> Sequence[Route]:
        list_, read = self._services.list, f"{_ACTION}/read"
        return [
            Route("GET", "/subscriptions/{subscription}" + _SERVICES, list_, _VERSIONS, action=read),
            Route("GET", _GROUP + _SERVICES, list_, _VERSIONS, action=read),
            _route("GET", "", self._services.get, "read"),
            _route("PATCH", "", self._services.patch, "write"),
            _route("GET", "/tenant/operationResults/{operation}", self._long_running.status, "read"),
        ]

    def _api_routes(self) -> Sequence[Route]:
        return [
            _route("GET", "/apis", self._apis.list, "read"),
            _route("GET", _API, self._apis.get, "read"),
            _route("HEAD", _API, self._apis.head, "read"),
            _route("PUT", _API, self._apis.put, "write"),
            _route("PATCH", _API, self._apis.patch, "write"),
            _route("DELETE", _API, self._apis.delete, "delete"),
        ]

    def _report_routes(self) -> Sequence[Route]:
        reports = {
            "byApi": self._reports.by_api,
            "byOperation": self._reports.by_operation,
            "bySubscription": self._reports.by_subscription,
        }
        action = f"{_ACTION}/reports/read"
        return [
            Route("GET", f"{_SERVICE}/reports/{name}", handler, _VERSIONS, action=action)
            for name, handler in reports.items()
        ]


def _in_service(
    find: Callable[[Call], ApimService], table: Callable[[ApimService], dict[str, E]]
) -> Callable[[Call], Shelf[E]]:
    """Where the entities directly under a service are."""

    def shelf(call: Call) -> Shelf[E]:
        service = find(call)
        return Shelf(service, service.resource_id, table(service))

    return shelf


def _entity_routes(
    handlers: EntityHandlers[Operation] | EntityHandlers[Product] | EntityHandlers[Entity],
    path: str,
    *,
    puts: bool = False,
    deletes: bool = False,
) -> Sequence[Route]:
    """List, get, head and patch; put and delete where they are served."""
    routes = [
        _route("GET", path.rpartition("/")[0], handlers.list, "read"),
        _route("GET", path, handlers.get, "read"),
        _route("HEAD", path, handlers.head, "read"),
        _route("PATCH", path, handlers.patch, "write"),
    ]
    if puts:
        routes.append(_route("PUT", path, handlers.put, "write"))
    if deletes:
        routes.append(_route("DELETE", path, handlers.delete, "delete"))
    return routes


def _route(method: str, path: str, handler: Handler, verb: str) -> Route:
    """A route under the service. Its action is the path without the names, and the verb."""
    words = [word for word in path.split("/") if word and not word.startswith("{")]
    return Route(method, _SERVICE + path, handler, _VERSIONS, action="/".join((_ACTION, *words, verb)))
