"""Shipped content against a workspace: what is found, what is written, and that an analyst's edit survives."""

from typing import Any

import pytest

from apiward_core.arm_id import ArmId
from apiward_core.content import Content, ContentItem, Json, Kind, State
from apiward_core.content_lock import Lock
from apiward_core.errors import ConfigurationError, ConflictError, MissingError

WORKSPACE = ArmId.parse(
    "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"
    "/providers/Microsoft.OperationalInsights/workspaces/law"
)
KIND = Kind(
    name="widget",
    collection="{workspace}/widgets",
    api_version="2024-01-01",
    envelope={"kind": "Blue"},
    service_owned=frozenset({"modified"}),
    enums=frozenset({"severity", "tactics"}),
    durations=frozenset({"every"}),
    defaults={"mode": "plain"},
)


def item(version: str = "1.0.0", *, kind: Kind = KIND, name: str = "name-1", **properties: Any) -> ContentItem:
    return ContentItem(kind, "one", name, version, {"title": f"Title of {version}", "severity": "High", **properties})


class Workspace:
    """ARM for one collection: an etag per write, a refusal of a stale one, and `interfere` before the next write."""

    def __init__(self) -> None:
        self.resources: dict[str, Json] = {}
        self.writes = 0
        self.interfere: list[Json] = []

    def get(self, path: str, *, api_version: str) -> Json:
        assert api_version == KIND.api_version
        if path not in self.resources:
            raise MissingError(f"no {path}", remedy="")
        return self.resources[path]

    def put(self, path: str, body: Json, *, api_version: str) -> Json:
        assert api_version == KIND.api_version
        if self.interfere:
            self.store(path, self.interfere.pop(0))
        known = self.resources.get(path)
        if known and body.get("etag") != known["etag"]:
            raise ConflictError("newer", remedy="")
        return self.store(path, body["properties"], kind=body["kind"])

    def store(self, path: str, properties: Json, **envelope: str) -> Json:
        self.writes += 1
        self.resources[path] = {**envelope, "etag": f"etag-{self.writes}", "properties": dict(properties)}
        return self.resources[path]


PATH = f"{WORKSPACE}/widgets/name-1"


def content(arm: Workspace, *shipped: ContentItem) -> Content:
    lock = Lock({})
    for known in shipped:
        lock = lock.update([known])
    return Content(lambda _: arm, workspace=WORKSPACE, lock=lock)


def test_an_absent_item_is_created_in_its_envelope_and_then_unchanged() -> None:
    arm, one = Workspace(), item()
    tool = content(arm, one)
    assert [step.state for step in tool.plan([one])] == [State.CREATE]
    assert arm.resources == {}
    (step,) = tool.apply([one])
    assert (step.state, step.written) == (State.CREATE, True)
    assert arm.resources[PATH] == {"kind": "Blue", "etag": "etag-1", "properties": one.properties}
    (again,) = tool.apply([one])
    assert (again.state, again.found, again.written, arm.writes) == (State.UNCHANGED, "1.0.0", False, 1)


def test_an_older_version_of_ours_is_updated_with_its_etag() -> None:
    arm, old, new = Workspace(), item("1.0.0"), item("1.1.0")
    arm.store(PATH, old.properties)
    (step,) = content(arm, old, new).apply([new])
    assert (step.state, step.found, step.differs, step.written) == (State.UPDATE, "1.0.0", ("title",), True)
    assert arm.resources[PATH]["properties"] == new.properties


def test_an_edited_item_is_reported_and_kept() -> None:
    arm, one = Workspace(), item()
    arm.store(PATH, {**one.properties, "severity": "Low", "note": "ours is too loud"})
    (step,) = content(arm, one).apply([one])
    assert (step.state, step.found, step.differs, step.written) == (State.EDITED, None, ("note", "severity"), False)
    assert arm.resources[PATH]["properties"]["severity"] == "Low"


def test_an_edited_item_is_overwritten_on_request() -> None:
    arm, one = Workspace(), item()
    arm.store(PATH, {**one.properties, "severity": "Low"})
    (step,) = content(arm, one).apply([one], overwrite=True)
    assert (step.state, step.written) == (State.EDITED, True)
    assert arm.resources[PATH]["properties"] == one.properties


def test_a_version_that_this_release_does_not_know_is_kept() -> None:
    arm, ours, newer = Workspace(), item("1.0.0"), item("2.0.0")
    arm.store(PATH, newer.properties)
    (step,) = content(arm, ours).apply([ours])
    assert (step.state, step.written) == (State.EDITED, False)


@pytest.mark.parametrize(
    ("interference", "state", "written"),
    [
        ({"title": "Title of 1.1.0", "severity": "High"}, State.UNCHANGED, False),
        ({"title": "Mine", "severity": "High"}, State.EDITED, False),
        ({"title": "Title of 1.0.0", "severity": "High"}, State.UPDATE, True),
    ],
)
def test_a_change_just_before_the_write_is_looked_at_again(interference: Json, state: State, written: bool) -> None:
    arm, old, new = Workspace(), item("1.0.0"), item("1.1.0")
    arm.store(PATH, old.properties)
    arm.interfere = [interference]
    (step,) = content(arm, old, new).apply([new])
    assert (step.state, step.written) == (state, written)
    assert arm.resources[PATH]["properties"] == (new.properties if written else interference)


def test_a_change_before_every_write_is_a_conflict() -> None:
    arm, old, new = Workspace(), item("1.0.0"), item("1.1.0")
    arm.store(PATH, old.properties)
    arm.interfere = [old.properties] * 2
    with pytest.raises(ConflictError):
        content(arm, old, new).apply([new])


@pytest.mark.parametrize(
    "respelled",
    [
        pytest.param({"modified": "2026-11-23T12:00:00Z"}, id="written by the service"),
        pytest.param({"tags": None, "extra": [], "more": {"deep": ""}}, id="empty fields added"),
        pytest.param({"mode": "plain"}, id="default added"),
        pytest.param({"severity": "HIGH", "tactics": ["impact", "Discovery"]}, id="case and order"),
        pytest.param({"every": "P1DT23H"}, id="duration"),
        pytest.param({"query": "a\r\nb"}, id="line ends"),
        pytest.param({"deep": {"every": "PT120M", "list": [{"b": 2, "a": 1}, {"a": 0}]}}, id="nested"),
    ],
)
def test_another_spelling_is_no_change(respelled: Json) -> None:
    one = item(
        tactics=["Discovery", "Impact"],
        every="PT47H",
        query="a\nb\n",
        deep={"every": "PT2H", "list": [{"a": 0}, {"a": 1, "b": 2}]},
    )
    arm = Workspace()
    arm.store(PATH, {**one.properties, **respelled})
    (step,) = content(arm, one).plan([one])
    assert (step.state, step.differs) == (State.UNCHANGED, ())


@pytest.mark.parametrize(
    "changed",
    [
        {"mode": "fancy"},
        {"every": "PT46H"},
        {"every": "PT"},
        {"query": "A"},
        {"tactics": ["Impact"]},
        {"enabled": False},
        {"count": 0},
    ],
)
def test_another_value_is_a_change(changed: Json) -> None:
    one = item(tactics=["Discovery", "Impact"], every="PT47H", query="a")
    arm = Workspace()
    arm.store(PATH, {**one.properties, **changed})
    (step,) = content(arm, one).plan([one])
    assert (step.state, step.differs) == (State.EDITED, tuple(changed))


def test_a_collection_may_lie_in_the_resource_group() -> None:
    kind = Kind(name="book", collection="{group}/providers/Microsoft.Insights/workbooks", api_version="2023-06-01")
    assert item(kind=kind).resource_id(WORKSPACE) == (
        "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg"
        "/providers/Microsoft.Insights/workbooks/name-1"
    )


def test_the_lock_survives_its_file() -> None:
    lock = Lock({}).update([item("1.10.0", title="Again")]).update([item("1.11.0")])
    again = Lock.parse(lock.text())
    assert again.text() == lock.text()
    again.check([item("1.11.0")])


def test_versions_compare_as_numbers() -> None:
    old, new = item("1.9.0", title="The same"), item("1.10.0", title="The same")
    lock = Lock({}).update([old]).update([new])
    assert lock.version("one", old.digest) == "1.10.0"
    assert lock.version("other", old.digest) is None
    assert lock.text().index('"1.9.0"') < lock.text().index('"1.10.0"')
    with pytest.raises(ConfigurationError, match=r"version 1\.9\.0, below the recorded 1\.10\.0"):
        lock.check([old])


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ([item("1.0.0", title="New text")], "one changed without a new version (still 1.0.0)"),
        ([item("0.9.0")], "one has version 0.9.0, below the recorded 1.0.0"),
        ([item(name="name-2")], "one was shipped under the resource name 'name-1', not 'name-2'"),
    ],
)
def test_neither_check_nor_update_accepts_a_change_of_history(now: list[ContentItem], said: str) -> None:
    lock = Lock({}).update([item("1.0.0")])
    with pytest.raises(ConfigurationError) as checked:
        lock.check(now)
    with pytest.raises(ConfigurationError) as updated:
        lock.update(now)
    assert said in str(checked.value)
    assert said in str(updated.value)


@pytest.mark.parametrize(
    ("now", "said"),
    [([item("1.1.0")], "one 1.1.0 is not recorded"), ([], "one is recorded but no longer shipped")],
)
def test_the_check_wants_every_item_recorded_and_every_record_shipped(now: list[ContentItem], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Lock({}).update([item("1.0.0")]).check(now)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", '{"one": {}}', '{"one": 1}'])
def test_a_broken_lock_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="content lock cannot be read"):
        Lock.parse(text)
