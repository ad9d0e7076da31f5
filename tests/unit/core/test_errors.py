"""Azure's errors become ours by what to do next."""

from typing import Any, cast

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

from apiward_core import errors
from apiward_core.errors import ApiwardError, azure_errors


class _Response:
    reason = "because"
    headers = {"Retry-After": "17"}  # noqa: RUF012 - a fake with the one attribute that is read

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def _http(status: int) -> HttpResponseError:
    return HttpResponseError(message="said so\nand more", response=cast("Any", _Response(status)))


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (_http(400), errors.RejectedDataError),
        (_http(401), errors.AccessError),
        (_http(403), errors.AccessError),
        (_http(404), errors.MissingError),
        (_http(408), errors.TransientError),
        (_http(409), errors.ConflictError),
        (_http(412), errors.ConflictError),
        (_http(413), errors.RejectedDataError),
        (_http(429), errors.ThrottledError),
        (_http(500), errors.TransientError),
        (_http(503), errors.TransientError),
        (ClientAuthenticationError("bad credential"), errors.AccessError),
        (ServiceRequestError("no route"), errors.TransientError),
    ],
)
def test_kind_by_status(raised: Exception, kind: type[ApiwardError]) -> None:
    with pytest.raises(kind, match="while reading the thing") as seen, azure_errors("reading the thing"):
        raise raised
    assert type(seen.value) is kind
    assert seen.value.remedy in str(seen.value)
    assert "and more" not in str(seen.value)


def test_a_throttled_answer_keeps_how_long_to_wait() -> None:
    with pytest.raises(errors.ThrottledError) as seen, azure_errors("reading"):
        raise _http(429)
    assert seen.value.retry_after == 17


def test_other_exceptions_pass_unchanged() -> None:
    with pytest.raises(KeyError), azure_errors("reading"):
        raise KeyError("x")
