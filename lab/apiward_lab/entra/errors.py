"""Errors as Entra's token endpoint words them."""

import uuid
from datetime import UTC, datetime

from apiward_lab.web import Problem, Reply


class EntraError(Problem):
    """An OAuth error with an AADSTS number.

    The shape is that of the token endpoint: error, error_description, error_codes, timestamp, trace_id, correlation_id
    and error_uri. Each description ends with the trace id, the correlation id and the timestamp.
    """

    def __init__(self, status: int, error: str, number: int, message: str) -> None:
        super().__init__(status, error, f"AADSTS{number}: {message}")
        self._number = number

    def reply(self) -> Reply:
        """The answer that this error sends."""
        timestamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace_id, correlation_id = str(uuid.uuid4()), str(uuid.uuid4())
        description = f"{self.message} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
        body = {
            "error": self.code,
            "error_description": description,
            "error_codes": [self._number],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": correlation_id,
        }
        return Reply(self.status, body)


def unknown_tenant(tenant: str) -> EntraError:
    """The tenant of the request's path does not exist."""
    return EntraError(
        400,
        "invalid_request",
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud.",
    )


def unknown_application(client_id: str, tenant: str) -> EntraError:
    """No application of the tenant has this client id."""
    return EntraError(
        400,
        "unauthorized_client",
        700016,
        f"Application with identifier '{client_id}' was not found in the directory '{tenant}'.",
    )


def wrong_secret(client_id: str) -> EntraError:
    """The client secret is not that of the application."""
    return EntraError(
        401,
        "invalid_client",
        7000215,
        f"Invalid client secret provided. Ensure that the secret value, not its id, is sent for app '{client_id}'.",
    )


def missing_credential() -> EntraError:
    """Neither a secret nor an assertion came with the request."""
    return EntraError(
        401,
        "invalid_client",
        7000216,
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    )


def unknown_resource(resource: str, tenant: str) -> EntraError:
    """The tenant has no resource with this identifier."""
    return EntraError(
        400,
        "invalid_resource",
        500011,
        f"The resource principal named {resource} was not found in the tenant {tenant}.",
    )


def wrong_scope(scope: str) -> EntraError:
    """The scope of a client-credentials request does not end in /.default."""
    return EntraError(
        400,
        "invalid_scope",
        1002012,
        f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
        "/.default suffixed to the resource identifier (application ID URI).",
    )


def unsupported_grant(grant: str) -> EntraError:
    """The grant type is none that this tenant serves."""
    return EntraError(400, "unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'.")


def bad_assertion(number: int, message: str) -> EntraError:
    """A client assertion was refused."""
    return EntraError(401, "invalid_client", number, message)
