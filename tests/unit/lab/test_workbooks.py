"""Workbooks as resources: create, change, list, revisions, refusals, roles, and the OpenAPI document."""

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from apiward_lab.rbac import BUILT_IN_ROLES
from apiward_lab.workbooks import Workbooks
from tests.contract.openapi import Exchange, shared_dir, validate_exchange
from tests.unit.lab_logs.direct import CALLER, GROUP, SUBSCRIPTION, WORKSPACE, Answer, Direct, StandingClock
from tests.unit.lab_logs.specs import needs_specs, unpublished

NAME = "0f3e8a56-2f0e-4a5b-9d0c-5a1d7f9f2c11"
OTHER = "7c0b4cf0-52a1-4f0e-8a43-9f6a4f1f7d22"
CONTENT = {"version": "Notebook/1.0", "items": [{"type": 1, "content": {"json": "## Open findings"}}]}


class Gallery:
    """The workbooks service over one resource group."""

    def __init__(self) -> None:
        self.clock = StandingClock()
        self.service = Workbooks(self.clock, groups=[GROUP])
        self._direct = Direct(self.service.routes)

    def send(self, method: str, name: str = "", body: Any = None, *, query: str = "", scope: str = GROUP) -> Answer:
        """One call; `name` may go on with the path of a revision."""
        slash = "/" if name else ""
        url = f"{scope}/providers/Microsoft.Insights/workbooks{slash}{name}?api-version=2023-06-01{query}"
        return self._direct.send(method, url, body)

    def listed(self, query: str, scope: str = GROUP) -> list[str]:
        """The names of a list."""
        return [entry["name"] for entry in self.send("GET", query=query, scope=scope).body["value"]]


@pytest.fixture
def gallery() -> Gallery:
    return Gallery()


def workbook(**properties: Any) -> dict[str, Any]:
    return {
        "location": "westeurope",
        "kind": "shared",
        "tags": {"owner": "soc"},
        "properties": {
            "displayName": "API posture",
            "serializedData": json.dumps(CONTENT),
            "category": "sentinel",
            "sourceId": WORKSPACE.resource_id,
            "version": "1.0",
            **properties,
        },
    }


def test_a_workbook_comes_back_as_it_was_put(gallery: Gallery) -> None:
    created = gallery.send("PUT", NAME, workbook())
    assert created.status == 201
    body = gallery.send("GET", NAME, query="&canFetchContent=true").body
    assert body == created.body
    assert (body["name"], body["kind"], body["location"], body["tags"]) == (
        NAME,
        "shared",
        "westeurope",
        {"owner": "soc"},
    )
    assert body["id"] == f"{GROUP}/providers/Microsoft.Insights/workbooks/{NAME}"
    properties = body["properties"]
    assert json.loads(properties["serializedData"]) == CONTENT
    assert (properties["displayName"], properties["category"], properties["sourceId"], properties["version"]) == (
        "API posture",
        "sentinel",
        WORKSPACE.resource_id,
        "1.0",
    )
    assert (properties["userId"], properties["timeModified"]) == (CALLER.object_id, "2026-11-23T12:00:00.0000000Z")


def test_content_is_shown_to_those_who_ask_for_it(gallery: Gallery) -> None:
    gallery.send("PUT", NAME, workbook())
    assert gallery.send("GET", NAME).body["properties"]["serializedData"] is None
    (summary,) = gallery.send("GET", query="&category=sentinel").body["value"]
    assert summary["properties"]["serializedData"] is None
    (whole,) = gallery.send("GET", query="&category=sentinel&canFetchContent=true").body["value"]
    assert json.loads(whole["properties"]["serializedData"]) == CONTENT


def test_a_second_put_replaces_and_keeps_the_revision_before(gallery: Gallery) -> None:
    first = gallery.send("PUT", NAME, workbook(description="first")).body
    gallery.clock.advance(timedelta(hours=1))
    second = gallery.send("PUT", NAME.upper(), workbook())
    assert second.status == 200
    assert second.body["name"] == NAME
    assert "description" not in second.body["properties"]
    assert second.body["properties"]["timeModified"] == "2026-11-23T13:00:00.0000000Z"
    revisions = gallery.send("GET", f"{NAME}/revisions").body["value"]
    both = [second.body["properties"]["revision"], first["properties"]["revision"]]
    assert [entry["properties"]["revision"] for entry in revisions] == both
    assert second.body["etag"] != first["etag"]
    assert gallery.send("GET", f"{NAME}/revisions/{both[1]}").body == first
    assert gallery.send("GET", f"{NAME}/revisions/{'0' * 32}").status == 404


def test_a_patch_changes_what_it_names(gallery: Gallery) -> None:
    before = gallery.send("PUT", NAME, workbook(description="first")).body
    after = gallery.send("PATCH", NAME, {"tags": {"a": "b"}, "properties": {"displayName": "Posture"}}).body
    assert after["tags"] == {"a": "b"}
    changed = {key for key in after["properties"] if after["properties"][key] != before["properties"][key]}
    assert changed == {"displayName", "revision"}
    assert gallery.send("PATCH", NAME, {"properties": {"serializedData": "{"}}).status == 400
    assert gallery.send("PATCH", NAME, {}).body["tags"] == {"a": "b"}


def test_the_query_says_to_what_a_workbook_belongs(gallery: Gallery) -> None:
    put = gallery.send("PUT", NAME, workbook(sourceId=None), query="&sourceId=Azure%20Monitor")
    assert put.body["properties"]["sourceId"] == "Azure Monitor"


def test_lists_are_by_category_and_whatever_else_is_asked(gallery: Gallery) -> None:
    gallery.send("PUT", NAME, workbook())
    gallery.send("PUT", OTHER, {**workbook(category="workbook", sourceId="Azure Monitor"), "tags": {}})
    assert gallery.listed("&category=Sentinel") == [NAME]
    assert gallery.listed("&category=workbook") == [OTHER]
    assert gallery.listed(f"&category=sentinel&sourceId={WORKSPACE.resource_id.upper()}") == [NAME]
    assert gallery.listed("&category=workbook&sourceId=elsewhere") == []
    assert gallery.listed("&category=sentinel&tags=owner") == [NAME]
    assert gallery.listed("&category=workbook&tags=owner") == []
    assert gallery.listed("&category=sentinel", scope=f"/subscriptions/{SUBSCRIPTION}") == [NAME]
    assert gallery.listed("&category=sentinel", scope=f"/subscriptions/{OTHER}") == []
    assert gallery.send("GET").status == 400


def test_a_deleted_workbook_is_gone_and_deleting_it_again_is_fine(gallery: Gallery) -> None:
    gallery.send("PUT", NAME, workbook())
    assert gallery.send("DELETE", NAME).status == 200
    assert gallery.send("DELETE", NAME).status == 204
    assert gallery.send("GET", NAME).status == 404
    assert gallery.send("PATCH", NAME, {}).status == 404
    assert gallery.send("PUT", NAME, workbook()).status == 201


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**workbook(), "location": None}, "location"),
        ({**workbook(), "kind": "user"}, "kind"),
        (workbook(displayName=""), "displayName"),
        (workbook(category=None), "category"),
        (workbook(serializedData=None), "serializedData"),
        (workbook(serializedData="{'single': 'quotes'}"), "valid JSON"),
        (workbook(serializedData=CONTENT), "valid JSON"),
        (workbook(serializedData="[]"), "JSON object"),
        ({"location": "westeurope"}, "properties"),
    ],
    ids=["location", "kind", "name", "category", "no content", "no JSON", "no text", "list", "no properties"],
)
def test_what_is_no_workbook_is_refused_and_nothing_is_stored(gallery: Gallery, body: Any, words: str) -> None:
    answer = gallery.send("PUT", NAME, body)
    assert answer.status == 400
    assert words in answer.body["error"]["message"]
    assert gallery.send("GET", NAME).status == 404


def test_the_name_must_be_a_guid(gallery: Gallery) -> None:
    answer = gallery.send("PUT", "posture", workbook())
    assert answer.status == 400
    assert "Invalid Workbook resource name: 'posture'" in answer.body["error"]["message"]


def test_there_must_be_a_resource_group(gallery: Gallery) -> None:
    answer = gallery.send("PUT", NAME, workbook(), scope=f"{GROUP}-other")
    assert (answer.status, answer.body["error"]["code"]) == (404, "ResourceGroupNotFound")


def test_a_gallery_shows_a_display_name_once(gallery: Gallery) -> None:
    gallery.send("PUT", NAME, workbook())
    assert gallery.send("PUT", OTHER, workbook()).status == 409
    assert gallery.send("PUT", OTHER, workbook(sourceId="Azure Monitor")).status == 201
    assert gallery.send("PUT", NAME, workbook()).status == 200


def test_these_roles_may_write_workbooks() -> None:
    action = "Microsoft.Insights/Workbooks/Write"
    holders = {role.name for role in BUILT_IN_ROLES if role.allows(action)}
    assert holders == {
        "Owner",
        "Contributor",
        "Monitoring Contributor",
        "Microsoft Sentinel Contributor",
        "Workbook Contributor",
    }
    readers = {role.name for role in BUILT_IN_ROLES if role.allows("Microsoft.Insights/Workbooks/Read")} - holders
    assert {"Reader", "Microsoft Sentinel Reader", "Microsoft Sentinel Responder", "Workbook Reader"} <= readers
    assert "Security Reader" not in readers


@needs_specs
def test_every_action_is_one_that_microsoft_publishes(gallery: Gallery) -> None:
    actions = {route.action for route in gallery.service.routes if route.action}
    assert len(actions) == 4
    assert unpublished(actions) == set()


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "status"),
    [
        ("PUT", OTHER, workbook(displayName="Other"), "", 201),
        ("PUT", NAME, workbook(), "", 200),
        ("PATCH", NAME, {"tags": {"a": "b"}}, "", 200),
        ("GET", NAME, None, "&canFetchContent=true", 200),
        ("GET", NAME, None, "", 200),
        ("GET", "", None, "&category=workbook", 200),
        ("GET", f"{NAME}/revisions", None, "", 200),
        ("GET", OTHER, None, "", 404),
        ("PUT", "posture", workbook(), "", 400),
        ("DELETE", NAME, None, "", 200),
        ("DELETE", str(uuid.UUID(int=1)), None, "", 204),
    ],
)
def test_answers_conform_to_the_document(
    gallery: Gallery, method: str, path: str, body: Any, query: str, status: int
) -> None:
    shared_dir()
    gallery.send("PUT", NAME, workbook())
    answer = gallery.send(method, path, body, query=query)
    assert answer.status == status
    slash = "/" if path else ""
    address = f"https://management.azure.com{GROUP}/providers/Microsoft.Insights/workbooks{slash}{path}"
    exchange = Exchange(
        method,
        f"{address}?api-version=2023-06-01{query}",
        answer.status,
        request_body=None if body is None else json.dumps(body).encode(),
        response_body=None if answer.body is None else json.dumps(answer.body).encode(),
    )
    assert validate_exchange(exchange) == []
