"""Errors as API Management words them."""

from apiward_lab.web import Problem


def validation_error(target: str, message: str) -> Problem:
    """400: a field holds a value that the service does not take."""
    details = [{"code": "ValidationError", "target": target, "message": message}]
    return Problem(400, "ValidationError", "One or more fields contain incorrect values:", details=details)


def not_found(label: str) -> Problem:
    """404: there is no such entity; `label` says of what kind."""
    return Problem(404, "ResourceNotFound", f"{label} not found.")


def api_not_found() -> Problem:
    """404: the service has no such API."""
    return not_found("API")


def service_not_found(name: str, group: str) -> Problem:
    """404: the resource group has no such service."""
    return Problem(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.ApiManagement/service/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def precondition_failed() -> Problem:
    """412: the ETag in If-Match is not that of the entity."""
    return Problem(412, "PreconditionFailed", "Resource was modified since last retrieval.")


def precondition_required() -> Problem:
    """428: the operation takes no request without If-Match."""
    return Problem(
        428, "PreconditionRequired", "The If-Match header is required; send the entity's ETag, or * for any."
    )
