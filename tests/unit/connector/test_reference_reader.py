"""Reference data is read once a day, survives a failed read, and what is missing is told."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import zstandard

from apiward_connector.finding import Unreadable
from apiward_connector.place import locate
from apiward_connector.reference.inventory import Collection, Endpoint
from apiward_connector.report import Gap
from apiward_connector.sources.exemptions import Exemption
from apiward_connector.sources.governance import Assignment
from apiward_core.arm_id import ArmId
from apiward_core.errors import TransientError
from apiward_core.folder_objects import FolderObjects
from tests.unit.connector.references import UNAVAILABLE, FullStore, Told, World, metadata
from tests.unit.connector.samples import KEY, METADATA, OTHER_KEY, SCOPE, SERVICE, SUBSCRIPTION

SERVICE_ID = SERVICE.lower()
OPERATION = f"{SERVICE_ID}/apis/echo/operations/get"
POLICY = "/providers/microsoft.authorization/policydefinitions/ee7495e7-3ba7-40b6-bfee-c29e22cc75d4"
TRAFFIC = "2026-11-19T10:00:00.000000Z"
OTHER = "22222222-2222-2222-2222-222222222222"
DUE = "2026-12-24T00:00:00.000000Z"
COLLECTION = Collection(SERVICE_ID, "echo", "https://contoso.azure-api.net/echo", 1, 1, 0, 0, 0)
ENDPOINT = Endpoint(SERVICE_ID, "echo", "get", "GET", "/{id}", True, False, None, TRAFFIC)
NAMES = ["the API collections", "the API endpoints", "the governance assignments", "the policy exemptions", "the tags"]
KINDS = ["collections", "endpoints", "exemptions", "governance", "metadata", "tags"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.metadata.items = ((KEY, metadata("Encrypted", POLICY)),)
    made.collections.items = (COLLECTION,)
    made.endpoints.items = (ENDPOINT,)
    made.governance.items = (Assignment(OPERATION, KEY, "ann@contoso.com", DUE, True),)
    made.exemptions.items = (Exemption(SERVICE_ID, POLICY, DUE),)
    made.tags.items = ((SERVICE_ID, {"env": "prod"}),)
    return made


def test_what_was_read_is_joined(world: World) -> None:
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert gaps == ()
    assert known.metadata[KEY] == metadata("Encrypted", POLICY)
    exposure = known.exposure(locate(ArmId.read(OPERATION), {}))
    assert (exposure.is_external, exposure.is_authenticated, exposure.has_sensitive_data) == (True, False, None)
    assert (exposure.last_traffic, exposure.http_method, exposure.url_template) == (TRAFFIC, "GET", "/{id}")
    governance = known.governance(OPERATION, KEY)
    assert (governance.owner, governance.due, governance.grace_period) == ("ann@contoso.com", DUE, True)
    assert known.exempt_until(OPERATION, KEY) == DUE
    assert known.tags(SERVICE_ID) == {"env": "prod"}
    rows = list(known.inventory_rows(run_id="run", observed=TRAFFIC))
    assert [(row["Kind"], row["ResourceId"]) for row in rows] == [
        ("collection", f"{SERVICE_ID}/apis/echo"),
        ("endpoint", OPERATION),
    ]


def test_each_kind_is_read_once_a_utc_day(world: World) -> None:
    sources = (world.metadata, *world.others)
    first, _ = world.reader().read(SUBSCRIPTION)
    world.clock.moment = world.clock.moment.replace(hour=23, minute=59)
    again, gaps = world.reader().read(SUBSCRIPTION)
    assert [source.reads for source in sources] == [1] * 6
    assert gaps == ()
    assert again.inventory_day == first.inventory_day == "2026-11-20"
    assert again.metadata[KEY] == first.metadata[KEY]
    world.clock.moment += timedelta(minutes=1)
    renewed, _ = world.reader().read(SUBSCRIPTION)
    assert [source.reads for source in sources] == [2] * 6
    assert renewed.inventory_day == "2026-11-21"


@pytest.mark.parametrize("kind", KINDS)
def test_the_digest_stands_for_every_kind(world: World, kind: str) -> None:
    first, _ = world.reader().read(SUBSCRIPTION)
    again, _ = world.reader().read(SUBSCRIPTION)
    world.objects.delete(f"subscriptions/{SUBSCRIPTION}/reference/{kind}")
    source: Told = getattr(world, kind)
    source.items = ()
    emptied, _ = world.reader().read(SUBSCRIPTION)
    assert first.digest == again.digest not in ("", emptied.digest)


def test_the_digest_stands_for_the_last_of_many_items(world: World) -> None:
    many = [(f"{SERVICE_ID}-{number}", {"env": "prod"}) for number in range(5000)]
    digests = []
    for last in ({"env": "prod"}, {"env": "dev1"}):
        world.tags.items = (*many, (SERVICE_ID, last))
        world.objects.delete(f"subscriptions/{SUBSCRIPTION}/reference/tags")
        known, _ = world.reader().read(SUBSCRIPTION)
        digests.append(known.digest)
    assert digests[0] != digests[1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "metadata"])
def test_without_one_kind_there_is_no_digest(world: World, kind: str) -> None:
    source: Told = getattr(world, kind)
    source.error = UNAVAILABLE
    known, _ = world.reader().read(SUBSCRIPTION)
    assert known.digest == ""


def test_each_kind_is_an_object_of_the_subscription(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    assert world.objects.names("") == [f"subscriptions/{SUBSCRIPTION}/reference/{kind}" for kind in KINDS]


def test_what_cannot_be_read_today_is_taken_from_the_last_day(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(days=2)
    for source in (world.metadata, *world.others):
        source.items, source.error = (), UNAVAILABLE
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.exposure(locate(ArmId.read(OPERATION), {})).is_external is True
    assert known.governance(OPERATION, KEY).owner == "ann@contoso.com"
    assert known.exempt_until(OPERATION, KEY) == DUE
    assert known.tags(SERVICE_ID) == {"env": "prod"}
    assert known.inventory_day == "2026-11-20"
    assert [gap.what for gap in gaps] == [f"{name} of {SCOPE}" for name in ["the assessment metadata", *NAMES]]
    assert all("HTTP 503" in gap.why and "2026-11-20 is used" in gap.why for gap in gaps)


def test_half_of_a_list_is_no_list(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(days=1)
    world.governance.items = (Assignment(OPERATION, KEY, "bob@contoso.com", DUE, True),)
    world.governance.error = UNAVAILABLE
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.governance(OPERATION, KEY).owner == "ann@contoso.com"
    assert [gap.what for gap in gaps] == [f"the governance assignments of {SCOPE}"]


def test_without_anything_kept_it_is_unknown_and_told(world: World) -> None:
    for source in world.others:
        source.error = UNAVAILABLE
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.exposure(locate(ArmId.read(OPERATION), {})).is_external is None
    assert known.governance(OPERATION, KEY).owner == ""
    assert known.exempt_until(OPERATION, KEY) == ""
    assert known.tags(SERVICE_ID) == {}
    assert list(known.inventory_rows(run_id="run", observed=TRAFFIC)) == []
    assert known.inventory_day == ""
    assert [gap.what for gap in gaps] == [f"{name} of {SCOPE}" for name in NAMES]
    assert all("Nothing is known of it" in gap.why for gap in gaps)


def test_without_any_metadata_a_scope_cannot_be_judged(world: World) -> None:
    world.metadata.error = UNAVAILABLE
    with pytest.raises(TransientError, match="HTTP 503"):
        world.reader().read(SUBSCRIPTION)


def test_collections_without_endpoints_are_half_an_inventory(world: World) -> None:
    world.endpoints.error = UNAVAILABLE
    known, _ = world.reader().read(SUBSCRIPTION)
    assert known.exposure(locate(ArmId.read(f"{SERVICE_ID}/apis/echo"), {})).is_external is True
    assert [row["Kind"] for row in known.inventory_rows(run_id="run", observed=TRAFFIC)] == ["collection"]
    assert known.inventory_day.startswith("2026-11-20")


@pytest.mark.parametrize("half", ["collections", "endpoints"])
def test_the_other_half_makes_another_inventory_on_the_same_day(world: World, half: str) -> None:
    failing: Told = getattr(world, half)
    failing.error = UNAVAILABLE
    days = [world.reader().read(SUBSCRIPTION)[0].inventory_day for _ in range(2)]
    assert days[0] == days[1]
    failing.error = None
    assert world.reader().read(SUBSCRIPTION)[0].inventory_day not in {"", days[0]}


@pytest.mark.parametrize("half", ["collections", "endpoints"])
def test_the_older_half_dates_the_inventory(world: World, half: str) -> None:
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(days=1)
    failing: Told = getattr(world, half)
    failing.error = UNAVAILABLE
    known, _ = world.reader().read(SUBSCRIPTION)
    assert known.inventory_day == "2026-11-20"


def test_endpoints_that_resource_graph_hides_are_not_taken_for_gone(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(days=1)
    world.collections.items = (COLLECTION._replace(api="empty", endpoints=0), COLLECTION)
    world.endpoints.items = ()
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.exposure(locate(ArmId.read(OPERATION), {})).is_external is True
    [gap] = gaps
    assert "gave no API endpoint, and the API collections have some" in gap.why


def test_no_endpoints_of_apis_that_have_none_are_an_answer(world: World) -> None:
    world.collections.items = (COLLECTION._replace(endpoints=0), COLLECTION._replace(api="other", endpoints=None))
    world.endpoints.items = ()
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert gaps == ()
    assert known.inventory_day == "2026-11-20"


def without(line: int) -> Callable[[bytes], bytes]:
    """What cuts out one line: the head, the item, the end."""

    def cut(data: bytes) -> bytes:
        lines = zstandard.ZstdDecompressor().stream_reader(data).read().splitlines(keepends=True)
        assert len(lines) == 3
        del lines[line]
        return zstandard.ZstdCompressor().compress(b"".join(lines))

    return cut


def with_more(data: bytes) -> bytes:
    """Another line after the end."""
    return zstandard.ZstdCompressor().compress(zstandard.ZstdDecompressor().stream_reader(data).read() + b"[]\n")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda data: data[:0], "is something else, or of another version"),
        (lambda data: b"foreign" + data, "is damaged"),
        (lambda data: data[:-3] + bytes(3), "is damaged"),
        (lambda data: data[: len(data) // 2], "is something else, or of another version"),
        (without(0), "is something else, or of another version"),
        (without(1), "is not whole"),
        (without(2), "is not whole"),
        (with_more, "is not whole"),
    ],
    ids=["empty", "foreign", "flipped", "cut", "without its head", "without its item", "without its end", "with more"],
)
def test_a_damaged_cache_is_told_and_read_again(world: World, damage: Callable[[bytes], bytes], why: str) -> None:
    world.reader().read(SUBSCRIPTION)
    name = f"subscriptions/{SUBSCRIPTION}/reference/governance"
    stored = world.objects.read(name)
    assert stored
    world.objects.put(name, damage(stored.data))
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.governance(OPERATION, KEY).owner == "ann@contoso.com"
    assert [source.reads for source in world.others] == [1, 1, 2, 1, 1]
    [gap] = gaps
    assert gap.what == f"the governance assignments of {SCOPE}"
    assert f"{name}, in which it was kept, {why}" in gap.why
    assert world.reader().read(SUBSCRIPTION)[1] == ()


def test_the_cache_of_another_kind_is_no_cache(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    kept = f"subscriptions/{SUBSCRIPTION}/reference/"
    other = world.objects.read(f"{kept}tags")
    assert other
    world.objects.put(f"{kept}governance", other.data)
    _, [gap] = world.reader().read(SUBSCRIPTION)
    assert "is something else, or of another version" in gap.why


def test_what_cannot_be_kept_is_used_and_told(tmp_path: Path) -> None:
    world = World(tmp_path, objects=FullStore(tmp_path))
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.metadata[KEY] == METADATA[KEY]
    assert {gap.why for gap in gaps if gap.what.startswith("the tags")} == {
        f"It could not be kept: No room for subscriptions/{SUBSCRIPTION}/reference/tags. Make room."
    }


def test_what_is_no_item_is_named_by_each_run_that_lacks_it(world: World) -> None:
    refused = [Unreadable(f"row {number}", "It is none.") for number in range(25)]
    world.tags.items = (*refused, (SERVICE_ID, {"env": "prod"}))
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.tags(SERVICE_ID) == {"env": "prod"}
    assert gaps[0] == Gap(f"the tags of {SCOPE}", "row 0: It is none.")
    assert gaps[-1] == Gap(f"the tags of {SCOPE}", "5 more items could not be read either.")
    assert len(gaps) == 21
    assert world.reader().read(SUBSCRIPTION)[1] == gaps
    assert world.tags.reads == 1


def test_what_is_no_item_is_named_with_what_is_kept_of_the_last_day(world: World) -> None:
    world.tags.items = (Unreadable("row", "It is none."),)
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(days=1)
    world.tags.items, world.tags.error = (), UNAVAILABLE
    _, (failure, unreadable) = world.reader().read(SUBSCRIPTION)
    assert "What was read on 2026-11-20 is used." in failure.why
    assert unreadable == Gap(f"the tags of {SCOPE}", "row: It is none.")


def test_a_second_look_names_only_what_the_first_did_not(world: World) -> None:
    world.metadata.items = (Unreadable("old", "It is none."), *world.metadata.items)
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(hours=1)
    world.metadata.items = (Unreadable("new", "It is none."), *world.metadata.items)
    known, [first] = world.reader().read(SUBSCRIPTION)
    assert OTHER_KEY not in known.metadata
    assert (first.why, *(gap.why for gap in known.late_gaps)) == ("old: It is none.", "new: It is none.")


def test_a_key_that_came_up_during_the_day_is_looked_for_once(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(hours=1)
    world.metadata.items = (*world.metadata.items, (OTHER_KEY, metadata("New")))
    known, _ = world.reader().read(SUBSCRIPTION)
    assert KEY in known.metadata
    assert world.metadata.reads == 1
    assert known.metadata[OTHER_KEY] == metadata("New")
    assert known.metadata.get("no key at all") is None
    assert world.metadata.reads == 2
    assert known.late_gaps == ()
    assert world.reader().read(SUBSCRIPTION)[0].metadata[OTHER_KEY] == metadata("New")
    assert world.metadata.reads == 2


def test_metadata_that_was_just_read_is_not_read_again_for_a_key_that_it_lacks(world: World) -> None:
    known, _ = world.reader().read(SUBSCRIPTION)
    assert OTHER_KEY not in known.metadata
    assert world.metadata.reads == 1


def test_a_second_look_that_fails_leaves_what_is_known(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(hours=1)
    world.metadata.error = UNAVAILABLE
    known, gaps = world.reader().read(SUBSCRIPTION)
    assert known.metadata.get(OTHER_KEY) is None
    assert KEY in known.metadata
    assert gaps == ()
    [gap] = known.late_gaps
    assert gap.what == f"the assessment metadata of {SCOPE}"
    assert "HTTP 503" in gap.why


def test_a_long_list_keeps_the_lease_while_it_is_read(world: World) -> None:
    def renewals(subscription_id: str) -> int:
        heard: list[int] = []
        world.reader().read(subscription_id, renew=lambda: heard.append(1))
        return len(heard)

    short = renewals(SUBSCRIPTION)
    world.endpoints.items = tuple(ENDPOINT._replace(name=f"get-{number}") for number in range(2500))
    assert renewals(OTHER) == short + 2


def test_sources_that_fail_slowly_one_after_the_other_do_not_cost_the_lease(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    world.clock.moment += timedelta(days=1)
    for source in (world.metadata, *world.others):
        source.items, source.error = (), UNAVAILABLE
    heard: list[int] = []
    world.reader().read(SUBSCRIPTION, renew=lambda: heard.append(1))
    assert len(heard) == len(KINDS)


def test_the_sources_that_count_first_hear_of_the_run(world: World) -> None:
    world.reader().expect([SUBSCRIPTION])
    told: list[Told] = [source for source in world.others if source.expected == [SUBSCRIPTION]]
    assert told == [world.endpoints, world.governance, world.tags]


def test_subscriptions_do_not_share_what_is_kept(world: World) -> None:
    world.reader().read(SUBSCRIPTION)
    world.tags.items = ()
    assert world.reader().read(OTHER)[0].tags(SERVICE_ID) == {}
    assert isinstance(world.objects, FolderObjects)
    assert world.reader().read(SUBSCRIPTION)[0].tags(SERVICE_ID) == {"env": "prod"}
