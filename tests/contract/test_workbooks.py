"""Every shipped workbook against Microsoft's schema, parser and API and our own rules; and real ones, read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from apiward_core.arm_id import ArmId
from apiward_core.content import Content, Json, State
from apiward_core.errors import ConflictError, MissingError, RejectedDataError
from apiward_core.kql_check import PACKAGE, FunctionSchema, KqlChecker
from apiward_core.logs import Answer, TimeSpan
from apiward_core.tables import all_tables
from apiward_lab.routing import Router
from apiward_lab.web import Call, Problem
from apiward_lab.workbooks import Workbooks
from apiward_rules.functions import load_functions
from apiward_workbooks.arm import WorkbookResources
from apiward_workbooks.items import content_items, content_lock, updated_lock
from apiward_workbooks.load import load_workbooks
from apiward_workbooks.model import Parameters, Query, Unsupported, Workbook
from apiward_workbooks.parameters import Context, Values
from apiward_workbooks.reports import Remark, Reports, Section
from apiward_workbooks.visuals import VISUALS
from tests.contract.openapi import Exchange, shared_dir, validate_exchange
from tests.unit.lab_logs.direct import WORKSPACE, Logs
from tests.unit.workbooks.samples import NOW, FixedClock

LANGUAGE_SERVICE = Path(__file__).parents[2] / PACKAGE
WORKSPACE_ID = ArmId.parse(WORKSPACE.resource_id)
METADATA = {
    "workbookKey",
    "logoFileName",
    "description",
    "dataTypesDependencies",
    "dataConnectorsDependencies",
    "previewImagesFileNames",
    "version",
    "title",
    "templateRelativePath",
    "subtitle",
    "provider",
}

all_workbooks = pytest.mark.parametrize("name", load_workbooks())


def documents(items: list[Json]) -> Iterator[Json]:
    for item in items:
        yield item
        yield from documents(item["content"].get("items") or [])


def queries(name: str) -> list[Json]:
    items = json.loads(load_workbooks()[name].text)["items"]
    return [item["content"] for item in documents(items) if item["type"] == 3]


def filled(name: str) -> list[tuple[Query, str]]:
    """Each query as it is asked when every parameter has its default."""
    values, asked = Values(), []
    for item in load_workbooks()[name].workbook.walk():
        if isinstance(item, Parameters):
            for parameter in item.parameters:
                values.declare(parameter, Context(WORKSPACE_ID, NOW))
        if isinstance(item, Query):
            kql, missing = values.substitute(item.kql)
            assert missing == []
            asked.append((item, kql))
    return asked


def test_the_lock_holds_every_workbook_as_it_is() -> None:
    content_lock().check(content_items())
    assert updated_lock() == content_lock().text()


@all_workbooks
def test_the_metadata_has_the_fields_of_azure_sentinels_file(name: str) -> None:
    folder = Path(__file__).parents[2] / "workbooks" / "apiward_workbooks" / "content"
    entries = json.loads((folder / "WorkbooksMetadata.json").read_text("utf-8"))
    (entry,) = [entry for entry in entries if entry["workbookKey"] == name]
    assert set(entry) == METADATA
    assert set(entry["dataTypesDependencies"]) <= set(all_tables())
    assert (folder / entry["templateRelativePath"]).is_file()


@all_workbooks
def test_the_document_fits_microsofts_schema(name: str) -> None:
    schema = json.loads((shared_dir() / "specs" / "workbook.schema.json").read_text("utf-8"))
    document = json.loads(load_workbooks()[name].text)
    assert [error.message for error in Draft7Validator(schema).iter_errors(document)] == []


@all_workbooks
def test_the_document_names_its_template_and_no_subscription(name: str) -> None:
    text = load_workbooks()[name].text
    assert json.loads(text)["fromTemplateId"] == f"sentinel-{name}"
    assert "subscriptions/" not in text.replace('"/subscriptions/\\"', "").replace(
        "microsoft.resources/subscriptions", ""
    )
    assert text.isascii()


@all_workbooks
def test_every_query_names_its_workspace_its_time_and_what_to_do_without_data(name: str) -> None:
    for content in queries(name):
        assert content["crossComponentResources"] == ["{Workspace}"], content["title"]
        assert content["timeContext"]["durationMs"] > 0, content["title"]
        assert len(content["noDataMessage"]) > 40, content["title"]
        assert content["title"]


@all_workbooks
def test_what_is_true_now_looks_at_three_days_and_only_the_rest_follows_the_picker(name: str) -> None:
    for content in queries(name):
        follows = content.get("timeContextFromParameter")
        assert follows in (None, "TimeRange")
        assert follows or content["timeContext"]["durationMs"] == 3 * 86_400_000, content["title"]


@all_workbooks
def test_reports_show_every_part_of_a_shipped_workbook(name: str) -> None:
    items = list(load_workbooks()[name].workbook.walk())
    assert not [item for item in items if isinstance(item, Unsupported)]
    assert {item.visualization for item in items if isinstance(item, Query)} <= set(VISUALS)


@pytest.fixture(scope="module")
def checker() -> KqlChecker:
    if not LANGUAGE_SERVICE.is_dir():
        pytest.skip("node_modules is absent: run make setup")
    schema = {name: table.kusto_schema() for name, table in all_tables().items()}
    functions = {alias: FunctionSchema(function.query) for alias, function in load_functions().items()}
    return KqlChecker(LANGUAGE_SERVICE, schema, functions)


@all_workbooks
def test_microsofts_parser_accepts_every_query_and_finds_the_columns_of_its_settings(
    checker: KqlChecker, name: str
) -> None:
    for query, kql in filled(name):
        assert checker.check(kql) == [], query.title
        columns = {column for column, _ in checker.columns(kql)}
        assert set(_settled(query)) <= columns, query.title


def _settled(query: Query) -> Iterator[str]:
    """The columns that the settings of a query name."""
    yield from (rule["columnMatch"] for rule in query.grid.get("formatters") or ())
    yield from (rule["columnMatch"] for rule in query.tiles.values() if isinstance(rule, dict))
    chart: dict[str, Any] = dict(query.chart)
    yield from filter(None, [chart.get("xAxis"), chart.get("group"), *(chart.get("yAxis") or ())])


class LabArm:
    """ARM as the lab's workbooks answer it, without a server between; it notes each exchange."""

    def __init__(self) -> None:
        self.logs = Logs()
        group = WORKSPACE.resource_id.partition("/providers/")[0]
        workbooks = Workbooks(self.logs.clock, groups=[group])
        self._router = Router([*self.logs.service.routes, *workbooks.routes])
        self.exchanges: list[Exchange] = []

    def get(self, path: str, *, api_version: str, **query: str) -> Json:
        return self._send("GET", path, {"api-version": api_version, **query}, b"")

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        return self._send("PUT", path, {"api-version": api_version}, json.dumps(body).encode())

    def _send(self, method: str, path: str, query: dict[str, str], content: bytes) -> Json:
        match = self._router.find(method, path, query["api-version"])
        assert match is not None, f"the lab has no {method} {path} at {query['api-version']}"
        call = Call(method, path, match.params, query, {}, content, "https://lab.test")
        try:
            reply = match.route.handler(call)
        except Problem as problem:
            error = {404: MissingError, 409: ConflictError}.get(problem.status, RejectedDataError)
            raise error(problem.message, remedy="") from problem
        assert isinstance(reply.body, dict)
        url = f"https://management.azure.com{path}?" + "&".join(f"{key}={value}" for key, value in query.items())
        sent, received = ({"content-type": "application/json"} if content else {}), {"content-type": "application/json"}
        answer = json.dumps(reply.body).encode()
        self.exchanges.append(Exchange(method, url, reply.status, sent, content or None, received, answer))
        return reply.body


def test_all_of_it_can_be_deployed_and_again_and_an_edit_is_kept() -> None:
    arm = LabArm()
    resources = WorkbookResources(arm, workspace=WORKSPACE_ID)
    content = Content(lambda _: resources, workspace=WORKSPACE_ID, lock=content_lock())
    items = content_items()
    assert {(step.state, step.written) for step in content.apply(items)} == {(State.CREATE, True)}
    assert {(step.state, step.differs) for step in content.apply(items)} == {(State.UNCHANGED, ())}
    path = items[0].resource_id(WORKSPACE_ID)
    mine = resources.get(path, api_version=items[0].kind.api_version)
    mine["properties"]["displayName"] = "Mine"
    resources.put(path, mine, api_version=items[0].kind.api_version)
    kept = content.apply(items[:1])[0]
    assert (kept.state, kept.differs, kept.written) == (State.EDITED, ("displayName",), False)


def test_every_request_conforms_to_microsofts_documents() -> None:
    shared_dir()
    arm = LabArm()
    resources = WorkbookResources(arm, workspace=WORKSPACE_ID)
    Content(lambda _: resources, workspace=WORKSPACE_ID, lock=content_lock()).apply(content_items())
    writes = [exchange for exchange in arm.exchanges if exchange.method == "PUT"]
    assert len(writes) == len(content_items())
    faults = [fault for exchange in writes for fault in validate_exchange(exchange)]
    assert [fault for fault in faults if ": answer " not in fault] == []  # the answers are the lab's


def _samples() -> list[Path]:
    folder = Path(__file__).parents[3] / "shared" / "samples" / "workbooks"
    return sorted(folder.glob("*.json"))


@pytest.mark.parametrize("file", _samples() or [None], ids=lambda file: file.stem if file else "none")
def test_real_workbooks_are_read_and_run_with_every_item_accounted_for(file: Path | None) -> None:
    if file is None:
        pytest.skip("no sample workbooks beside the checkout")
    text = file.read_text("utf-8-sig")
    workbook = Workbook.parse(text, title=file.stem)
    in_file = list(documents(json.loads(text)["items"]))
    assert len(list(workbook.walk())) == len(in_file)
    report = Reports(AnyRows(), FixedClock(), WORKSPACE_ID).run(workbook)
    assert report.problems == ()
    assert "Reports cannot show this part" in " ".join(_remarks(report.blocks))


class AnyRows:
    """Answers every query with the same row."""

    def read(self, kql: str, *, timespan: TimeSpan) -> Answer:
        return Answer([{"Asked": 1, "Whole": 1, "Fresh": 1, "Oldest": NOW, "Name": "a"}])


def _remarks(blocks: Any) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Section):
            yield from _remarks(block.blocks)
        if isinstance(block, Remark):
            yield block.text
