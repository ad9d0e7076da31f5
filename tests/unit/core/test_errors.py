"""Azure's errors become ours by what to do next."""

from typing import Any, cast

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    DeserializationError,
    HttpResponseError,
    SerializationError,
    ServiceRequestError,
)
from azure.mgmt.apimanagement import ApiManagementClient
from azure.mgmt.securityinsight import SecurityInsights

from apiward_core import errors
from apiward_core.errors import ApiwardError, azure_errors
from tests.unit.connector.transport import Credential
from tests.unit.core.web import JSON, Web

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"


class _Response:
    reason = "because"

    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


def _http(status: int) -> HttpResponseError:
    return HttpResponseError(message="said so\nand more", response=cast("Any", _Response(status)))


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (_http(200), errors.TransientError),
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
        (DeserializationError("no date"), errors.TransientError),
        (SerializationError("no number"), errors.RejectedDataError),
    ],
)
def test_kind_by_status(raised: Exception, kind: type[ApiwardError]) -> None:
    with pytest.raises(kind, match="while reading the thing") as seen, azure_errors("reading the thing"):
        raise raised
    assert type(seen.value) is kind
    assert seen.value.remedy in str(seen.value)
    assert "and more" not in str(seen.value)


def test_a_success_whose_answer_is_cut_may_have_been_done() -> None:
    cut = Web((200, JSON, b'{"properties":{"protocols":["ht'))
    with (
        pytest.raises(errors.TransientError, match="may have been done"),
        ApiManagementClient(Credential(), SUBSCRIPTION, transport=cut.transport()) as client,
        azure_errors("reading the API"),
    ):
        client.api.get("rg", "service", "api")


def test_a_value_that_the_sdk_cannot_read_is_told_without_the_document() -> None:
    odd = Web((200, JSON, b'{"properties":{"title":"hunter2","firstActivityTimeUtc":"n/a"}}'))
    with (
        pytest.raises(errors.TransientError, match=r"while reading the incident: .*N/A") as seen,
        SecurityInsights(Credential(), SUBSCRIPTION, transport=odd.transport()) as client,
        azure_errors("reading the incident"),
    ):
        client.incidents.get("rg", "workspace", "incident")
    assert "hunter2" not in str(seen.value)


def test_other_exceptions_pass_unchanged() -> None:
    with pytest.raises(KeyError), azure_errors("reading"):
        raise KeyError("x")
