"""What the remediations of API Management share (Microsoft.ApiManagement 2024-05-01)."""

from typing import Any

from apiward_core.arm_id import ArmId
from apiward_core.errors import RejectedDataError

_NAMESPACE = "microsoft.apimanagement/service"


def part_of_service(resource: ArmId, kind: str, *, called: str) -> tuple[str, str]:
    """The names of the service and of its part of that kind ("apis", "subscriptions", ...).

    Raises RejectedDataError for any other resource; `called` says what was expected, e.g. "API".
    """
    if resource.type.lower() != f"{_NAMESPACE}/{kind}":
        raise RejectedDataError(
            f"{resource.text} is no {called} of API Management.", remedy="Plan for the finding's resource."
        )
    service, name = resource.names
    return service, name


def with_etag(response: Any, model: Any, _: Any) -> tuple[Any, str]:
    """For the SDK's `cls`: the model together with the answer's ETag, which the documents promise with each GET.

    Raises RejectedDataError when there is none, since nothing could then be written without the risk of a lost update.
    """
    etag = response.http_response.headers.get("ETag")
    if not etag:
        raise RejectedDataError(
            f"{response.http_request.url.partition('?')[0]} came without an ETag.",
            remedy="Change it by hand: a write could undo somebody else's.",
        )
    return model, etag


def correlated(correlation_id: str) -> dict[str, str]:
    """The header that takes a run's correlation id into the activity log."""
    return {"x-ms-correlation-request-id": correlation_id}
