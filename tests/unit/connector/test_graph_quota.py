"""Queries to Resource Graph keep to what the answers before them told."""

from typing import Any

import pytest

from apiward_connector.sources.graph import Graph
from apiward_core.clients import AzureClients
from apiward_core.settings import explicit_settings
from tests.unit.connector.transport import Credential, Replies
from tests.unit.core.timers import FakeTimer

USED_UP = {"x-ms-user-quota-remaining": "0", "x-ms-user-quota-resets-after": "00:00:40"}


def page(number: int, headers: dict[str, str]) -> tuple[int, Any, dict[str, str]]:
    body = {"totalRecords": 3, "count": 1, "resultTruncated": "false", "data": [{"id": f"/{number}"}]}
    return 200, body | ({"$skipToken": str(number)} if number < 3 else {}), headers


@pytest.mark.parametrize(("headers", "least", "most"), [(USED_UP, 40, 42), ({}, 0, 5)], ids=["told", "not told"])
def test_a_page_waits_when_the_one_before_told_that_the_quota_is_used_up(
    headers: dict[str, str], least: float, most: float
) -> None:
    timer, replies = FakeTimer(), Replies(page(1, {}), page(2, headers), page(3, {}))
    settings = explicit_settings(throttle_patience=300)
    with AzureClients(settings, credential=Credential(), transport=replies, timer=timer) as clients:
        pages = Graph(clients.resource_graph()).pages("q", subscriptions=["s"], what="things")
        next(pages)
        next(pages)
        began = timer.now()
        next(pages)
    assert least <= timer.now() - began <= most
