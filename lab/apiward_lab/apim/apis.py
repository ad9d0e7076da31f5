"""Handlers of the APIs of a service."""

from collections.abc import Callable

from apiward_lab.apim.bodies import api_body
from apiward_lab.apim.changes import merged, sent_properties
from apiward_lab.apim.entities import Shelf, filtered_page
from apiward_lab.apim.etags import check_match, etag, etag_header, require_match
from apiward_lab.apim.kinds import API_FILTERABLE
from apiward_lab.apim.long_running import Operations
from apiward_lab.apim.problems import api_not_found, validation_error
from apiward_lab.apim.validation import base_name, check_path_is_free, check_properties
from apiward_lab.estate import Api, ApimService, Operation
from apiward_lab.web import Call, Reply

_READ_ONLY = ("isOnline", "provisioningState", "apiVersionSet")
_DEFAULTS = {
    "apiRevision": "1",
    "subscriptionRequired": True,
    "protocols": ["https"],
    "authenticationSettings": {"oAuth2AuthenticationSettings": [], "openidAuthenticationSettings": []},
    "subscriptionKeyParameterNames": {"header": "Ocp-Apim-Subscription-Key", "query": "subscription-key"},
    "isCurrent": True,
}


class ApiHandlers:
    """List, get, create, update and delete. Every change of an API changes its ETag."""

    def __init__(self, find_service: Callable[[Call], ApimService], operations: Operations) -> None:
        self._find_service = find_service
        self._operations = operations

    def list(self, call: Call) -> Reply:
        """The APIs and their revisions; knows $filter, $top and $skip."""
        service = self._find_service(call)
        rows = [api_body(service, api) for _, api in sorted(service.apis.items())]
        return Reply(body=filtered_page(call, rows, API_FILTERABLE))

    def get(self, call: Call) -> Reply:
        """One API; with asyncId, the outcome of a write."""
        if operation_id := call.query.get("asyncId"):
            return self._operations.result(operation_id)
        service, api = self._existing(call)
        return Reply(200, api_body(service, api), _tag(service, api))

    def head(self, call: Call) -> Reply:
        """The ETag alone."""
        service, api = self._existing(call)
        return Reply(200, None, _tag(service, api))

    def patch(self, call: Call) -> Reply:
        """Merge the given properties into the API. If-Match is required."""
        service, api = self._existing(call)
        require_match(call, etag(service.api_id(api), api.version))
        properties = merged(api.properties, sent_properties(call, read_only=_READ_ONLY))
        check_properties(properties)
        check_path_is_free(service, api.name, properties)
        api.properties = properties
        api.version += 1
        return Reply(200, api_body(service, api), _tag(service, api))

    def put(self, call: Call) -> Reply:
        """Create the API or replace its properties: a long-running operation."""
        service, name = self._find_service(call), call.params["api"]
        known = _lookup(service, name)
        check_match(call, etag(service.api_id(known), known.version) if known else None)
        base, _, revision = name.partition(";rev=")
        own = {"displayName": base, "apiRevision": revision, "isCurrent": False} if revision else {"displayName": base}
        properties = {**_DEFAULTS, **own, **sent_properties(call, read_only=_READ_ONLY)}
        check_properties(properties)
        check_path_is_free(service, name, properties)
        api = known or Api(name, properties, version=0)
        api.properties = properties
        api.version += 1
        service.apis[api.name.lower()] = api
        return self._operations.accept(
            call,
            service.resource_id,
            outcome=200 if known else 201,
            body=api_body(service, api),
            headers=_tag(service, api),
        )

    def delete(self, call: Call) -> Reply:
        """Delete the API; 204 when there was none. If-Match is required, deleteRevisions takes the revisions along."""
        service = self._find_service(call)
        api = _lookup(service, call.params["api"])
        require_match(call, etag(service.api_id(api), api.version) if api else None)
        if api is None:
            return Reply(204)
        doomed = [api.name.lower()]
        if api.properties.get("isCurrent"):
            doomed = [key for key in service.apis if base_name(key) == base_name(api.name)]
        if len(doomed) > 1 and call.query.get("deleteRevisions", "").lower() != "true":
            raise validation_error("apiId", "The API has other revisions; delete them too with deleteRevisions=true.")
        for key in doomed:
            del service.apis[key]
        return self._operations.accept(call, service.resource_id, outcome=204, body=None, headers={})

    def operations(self, call: Call) -> Shelf[Operation]:
        """Where the operations of the API are that the path names. Raises Problem 404."""
        service, api = self._existing(call)
        return Shelf(service, service.api_id(api), api.operations)

    def _existing(self, call: Call) -> tuple[ApimService, Api]:
        service = self._find_service(call)
        api = _lookup(service, call.params["api"])
        if api is None:
            raise api_not_found()
        return service, api


def _lookup(service: ApimService, name: str) -> Api | None:
    """The API of this name; "orders;rev=1" also names the API "orders" while 1 is its current revision."""
    if found := service.apis.get(name.lower()):
        return found
    base, _, revision = name.lower().partition(";rev=")
    current = service.apis.get(base)
    return current if current and revision and current.properties.get("apiRevision") == revision else None


def _tag(service: ApimService, api: Api) -> dict[str, str]:
    return etag_header(service.api_id(api), api.version)
