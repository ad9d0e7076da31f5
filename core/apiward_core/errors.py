"""One tree of errors, named by what to do next.

ApiwardError
  ConfigurationError    change a setting, a file or an argument
  AccessError           get a role, a consent or a working credential
  ThrottledError        wait; the service has had too much
  TransientError        try again; the service or the network failed
  ConflictError         read again; somebody else changed it
  RejectedDataError     look at the data; the service refused this content
  GuardrailError        a written limit forbids it
  IncompleteError       some of it was done or read, and the message says what was not

Every message names the thing and the place, every error carries a remedy, and none carries a secret.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    DecodeError,
    DeserializationError,
    HttpResponseError,
    SerializationError,
    ServiceRequestError,
    ServiceResponseError,
)

_SIGN_IN = (
    "Check the credential settings (credential, tenant_id, client_id and its secret or certificate); with 'developer', "
    "sign in again with: az login"
)
_UNREAD = "The answer could not be read; it may have been done. Look, then try again."


class ApiwardError(Exception):
    """Base of all errors that apiward raises on purpose.

    `remedy` is a sentence that says what to do; `exit_code` is what the command line ends with.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{super().__str__()} {self.remedy}"


class ConfigurationError(ApiwardError):
    """A setting, a file or an argument has to change."""

    exit_code = 2


class AccessError(ApiwardError):
    """The credential was refused or lacks a role."""


class ThrottledError(ApiwardError):
    """The service asked to wait longer than we may."""


class TransientError(ApiwardError):
    """The service or the network failed in a way that may pass."""


class ConflictError(ApiwardError):
    """Somebody else changed the thing since it was read."""


class RejectedDataError(ApiwardError):
    """The service, or a check of ours, refused this content."""


class MissingError(RejectedDataError):
    """The thing that was asked for does not exist."""


class GuardrailError(ApiwardError):
    """A written limit forbids the change."""

    exit_code = 3


class IncompleteError(ApiwardError):
    """Some of it was done or read; the message says what was not."""

    exit_code = 4


@contextmanager
def azure_errors(doing: str) -> Iterator[None]:
    """Turn the Azure SDK's exceptions raised inside into ours. `doing` completes "while ...", e.g. "listing X in Y"."""
    try:
        yield
    except AzureError as error:
        raise from_azure(error, doing) from error
    except DeserializationError as error:  # no AzureError, nor is the next
        raise TransientError(
            f"The answer holds what the SDK cannot read while {doing}: {_innermost(error)}.",
            remedy="A write may have been done. Look at the resource in the portal; if all is well there, report this.",
        ) from error
    except SerializationError as error:
        raise RejectedDataError(
            f"The SDK cannot write a value while {doing}: {_innermost(error)}.",
            remedy="Nothing was sent. Correct the value.",
        ) from error


def from_azure(error: AzureError, doing: str) -> ApiwardError:
    """The error of ours that says what to do about `error`. `doing` completes "while ..."."""
    if isinstance(error, ClientAuthenticationError):  # it may carry the status of the token endpoint
        return AccessError(f"Sign-in failed while {doing}: {_sign_in_problem(error)}.", remedy=_SIGN_IN)
    if isinstance(error, HttpResponseError) and error.status_code is not None:
        return _from_status(error, error.status_code, doing)
    if isinstance(error, DecodeError):
        return TransientError(f"{_first_line(error)} while {doing}.", remedy=_UNREAD)
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return TransientError(
            f"The service could not be reached while {doing}: {_first_line(error)}.",
            remedy="Check the endpoint settings, the CA bundle and the network, then try again.",
        )
    return TransientError(f"Azure failed while {doing}: {_first_line(error)}.", remedy="Try again.")


def _from_status(error: HttpResponseError, status: int, doing: str) -> ApiwardError:
    said = f"HTTP {status} while {doing}: {_first_line(error)}."
    if status < 400:  # noqa: PLR2004 - the HTTP status codes are clearer as numbers
        return TransientError(said, remedy=_UNREAD)
    if status == 401:  # noqa: PLR2004
        return AccessError(said, remedy=_SIGN_IN)
    if status == 403:  # noqa: PLR2004
        return AccessError(
            said, remedy="Give the identity a role that allows this there; docs/permissions.md lists them."
        )
    if status == 404:  # noqa: PLR2004
        return MissingError(said, remedy="Check the name and the scope; it may have been deleted.")
    if status in (409, 412):
        return ConflictError(said, remedy="Read it again and repeat on what it says now.")
    if status == 429:  # noqa: PLR2004
        return ThrottledError(said, remedy="Wait, then try again.")
    if (status >= 500 and status != 501) or status == 408:  # noqa: PLR2004
        return TransientError(said, remedy="Try again later.")
    return RejectedDataError(said, remedy="The request has to change before it can succeed.")


def _first_line(error: AzureError) -> str:
    message = (error.message or str(error)).strip()
    return message.splitlines()[0].rstrip(".") if message else type(error).__name__


def _innermost(error: BaseException) -> str:
    """What the SDK met; its own words around that may quote the whole document."""
    while isinstance(error, DeserializationError | SerializationError) and error.__context__ is not None:
        error = error.__context__
    return str(error).rstrip(".") or type(error).__name__


def _sign_in_problem(error: AzureError) -> str:
    """One line; a chain of credentials says what each of them met in the lines after the first."""
    lines = (line.strip() for line in (error.message or str(error)).splitlines())
    told = [line for line in lines if line and not line.startswith(("Content:", "To mitigate this issue"))]
    return " ".join(told).rstrip(".") or type(error).__name__
