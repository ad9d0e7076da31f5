"""Workbooks as resources: where they lie, what is written, and that a customer's own settings stay."""

import json
from pathlib import Path

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.content import Content, Json, State
from apiward_core.content_lock import Lock
from apiward_core.errors import ConfigurationError, ConflictError, MissingError
from apiward_workbooks.arm import WORKBOOK, WorkbookResources
from apiward_workbooks.items import content_items
from apiward_workbooks.load import load_workbooks, open_workbook, report_name
from tests.unit.workbooks.samples import WORKSPACE

(ITEM,) = content_items()
PATH = ITEM.resource_id(WORKSPACE)


class Arm:
    """Resources by path; a document is left out unless it is asked for; a stale etag is refused."""

    def __init__(self) -> None:
        self.resources: dict[str, Json] = {WORKSPACE.text: {"location": "westeurope"}}
        self.writes = 0

    def get(self, path: str, *, api_version: str, **query: str) -> Json:
        if path not in self.resources:
            raise MissingError(f"no {path}", remedy="")
        found = json.loads(json.dumps(self.resources[path]))
        if query.get("canFetchContent") != "true":
            found.get("properties", {}).pop("serializedData", None)
        return dict(found)

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        assert api_version == WORKBOOK.api_version
        known = self.resources.get(path)
        if known and body.get("etag") not in (None, known["etag"]):
            raise ConflictError("newer", remedy="")
        self.writes += 1
        changed = {"timeModified": str(self.writes), "sourceId": body["properties"]["sourceId"].lower()}
        properties = {**body["properties"], **changed}
        self.resources[path] = {**body, "etag": str(self.writes), "properties": properties}
        return self.resources[path]


def content(arm: Arm) -> Content:
    resources = WorkbookResources(arm, workspace=WORKSPACE)
    return Content(lambda _: resources, workspace=WORKSPACE, lock=Lock({}).update([ITEM]))


def test_a_workbook_is_made_where_its_workspace_is_and_then_unchanged() -> None:
    arm = Arm()
    tool = content(arm)
    (made,) = tool.apply([ITEM])
    assert (made.state, made.written) == (State.CREATE, True)
    written = arm.resources[PATH]
    assert (written["location"], written["kind"]) == ("westeurope", "shared")
    assert written["properties"]["sourceId"] == WORKSPACE.text.lower()
    (again,) = tool.apply([ITEM])
    assert (again.state, again.differs, arm.writes) == (State.UNCHANGED, (), 1)


def test_an_analysts_edit_is_reported_and_kept_unless_told_otherwise() -> None:
    arm = Arm()
    tool = content(arm)
    tool.apply([ITEM])
    arm.resources[PATH]["properties"]["serializedData"] += " "
    assert tool.plan([ITEM])[0].state is State.UNCHANGED
    arm.resources[PATH]["properties"]["serializedData"] = '{"version":"Notebook/1.0","items":[]}'
    (kept,) = tool.apply([ITEM])
    assert (kept.state, kept.differs, kept.written) == (State.EDITED, ("serializedData",), False)
    (undone,) = tool.apply([ITEM], overwrite=True)
    assert undone.written
    assert tool.plan([ITEM])[0].state is State.UNCHANGED


def test_what_a_customer_set_around_the_workbook_stays() -> None:
    arm = Arm()
    tool = content(arm)
    tool.apply([ITEM])
    mine = {"location": "northeurope", "tags": {"cost": "1"}, "identity": {"type": "SystemAssigned"}}
    arm.resources[PATH].update(mine)
    arm.resources[PATH]["properties"].update(storageUri="/subscriptions/1/blob", description="mine")
    tool.apply([ITEM], overwrite=True)
    written = arm.resources[PATH]
    assert {name: written[name] for name in mine} == mine
    assert written["properties"]["storageUri"] == "/subscriptions/1/blob"
    assert written["properties"]["description"] == ITEM.properties["description"]


def test_workspaces_of_one_resource_group_have_workbooks_of_their_own() -> None:
    group, _, name = WORKSPACE.text.rpartition("/")
    assert ITEM.resource_id(ArmId.parse(f"{group}/{name}-2")) != PATH
    assert ITEM.resource_id(ArmId.parse(f"{group}/{name.upper()}")) == PATH
    assert PATH.startswith(f"/subscriptions/{WORKSPACE.subscription_id}/resourceGroups/{WORKSPACE.resource_group}/")


def test_the_written_document_is_the_shipped_one_in_compact_form() -> None:
    text = ITEM.properties["serializedData"]
    assert json.loads(text) == json.loads(load_workbooks()[ITEM.id].text)
    assert "\n  " not in text
    assert len(text) < len(load_workbooks()[ITEM.id].text)


def test_locks_of_several_packages_are_one() -> None:
    ours = Lock({}).update([ITEM])
    joined = Lock.parse('{"other": {"name": "n", "versions": {"1.0.0": "d"}}}').joined(ours)
    assert joined.version(ITEM.id, ITEM.digest) == ITEM.version
    assert joined.version("other", "d") == "1.0.0"


def test_a_workbook_is_opened_by_name_or_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.workbook.json"
    file.write_text("\N{ZERO WIDTH NO-BREAK SPACE}" + load_workbooks()[ITEM.id].text, "utf-8")
    assert open_workbook(str(file)).items == open_workbook(ITEM.id).items
    assert (open_workbook(str(file)).title, report_name(str(file)), report_name(ITEM.id)) == ("mine", "mine", ITEM.id)


@pytest.mark.parametrize("name", ["no-such", "missing.json", "."])
def test_a_workbook_that_there_is_not_is_refused_with_the_names_that_there_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_workbook(str(tmp_path / name) if name.endswith("json") else name)
    assert caught.value.exit_code == 2
    assert ITEM.id in str(caught.value) or "cannot be read" in str(caught.value)
