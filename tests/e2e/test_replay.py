"""Rows that could not be sent are sent again by the command line, and what is refused again is kept."""

import json
from pathlib import Path

import orjson
import pytest

from apiward_core.clock import SystemClock
from apiward_core.dead_letters import ObjectDeadLetters
from apiward_core.folder_objects import FolderObjects
from apiward_core.tables import RECOMMENDATIONS, all_tables
from tests.e2e.commands import apiward, varied
from tests.e2e.conftest import Raised
from tests.e2e.test_partial_reads import Tenant

STREAM = all_tables()[RECOMMENDATIONS].stream
OBSERVED = "2026-01-02T03:04:05.000000Z"
RETIRED = "custom-retired_cl"
FOUND = (
    f"{RECOMMENDATIONS} | where FindingId == finding | project RecordId, Late = TimeGenerated > ObservedAt, ObservedAt"
)


def row(record: str, finding: str) -> bytes:
    return orjson.dumps({"TimeGenerated": OBSERVED, "ObservedAt": OBSERVED, "RecordId": record, "FindingId": finding})


def replay(raised: Raised, folder: Path) -> tuple[int, dict[str, tuple[int, int]]]:
    """The exit code, and the rows sent and kept of each stream."""
    environment = varied(raised.environment("connector"), {"state_dir": str(folder)})
    done = apiward("ingest", "replay", "--json", environment=environment, folder=folder)
    return done.returncode, {
        each["stream"]: (each["sent"], each["kept"]) for each in json.loads(done.stdout)["streams"]
    }


def test_what_was_kept_arrives_with_its_own_time_and_what_has_no_table_stays(raised: Raised, tmp_path: Path) -> None:
    letters = ObjectDeadLetters(FolderObjects(tmp_path / "objects"), clock=SystemClock())
    letters.add_all(STREAM, [row("replayed", "replayed")], "too large")
    letters.add("Custom-Retired_CL", b"{}", "too large")
    assert replay(raised, tmp_path) == (4, {STREAM: (1, 0), RETIRED: (0, 1)})
    assert replay(raised, tmp_path) == (4, {RETIRED: (0, 1)})
    [arrived] = Tenant(raised).query(FOUND, finding="replayed")
    assert (arrived["RecordId"], arrived["Late"], arrived["ObservedAt"].year) == ("replayed", True, 2026)


@pytest.mark.parametrize("flags", [(), ("--json",)], ids=["people", "machines"])
def test_no_dead_letters_are_no_fault(raised: Raised, tmp_path: Path, flags: tuple[str, ...]) -> None:
    environment = varied(raised.environment("connector"), {"state_dir": str(tmp_path)})
    done = apiward("ingest", "replay", *flags, environment=environment, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "no dead letters" in done.stdout or json.loads(done.stdout) == {"streams": []}


def test_the_files_of_an_earlier_version_are_sent(raised: Raised, tmp_path: Path) -> None:
    old = {
        "at": OBSERVED,
        "reason": "too large",
        "row": {"TimeGenerated": OBSERVED, "RecordId": "1", "FindingId": "old"},
    }
    folder = tmp_path / "dead-letters"
    folder.mkdir()
    (folder / f"{STREAM}.jsonl").write_bytes(orjson.dumps(old, option=orjson.OPT_APPEND_NEWLINE))
    assert replay(raised, tmp_path) == (0, {STREAM: (1, 0)})
    assert [each["Late"] for each in Tenant(raised).query(FOUND, finding="old")] == [True]


def test_people_are_told_what_is_kept_and_where(raised: Raised, tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path / "objects")
    ObjectDeadLetters(objects, clock=SystemClock()).add("Custom-Retired_CL", b"{}", "too large")
    environment = varied(raised.environment("connector"), {"state_dir": "."}) | {"COLUMNS": "160"}
    done = apiward("ingest", "replay", environment=environment, folder=tmp_path)
    assert done.returncode == 4
    assert "no table has this stream any more" in done.stdout
    assert "What is kept is in objects" in done.stdout
