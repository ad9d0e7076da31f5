"""State that is lost comes back from the workspace by the command line, and the next run tells nothing twice."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from apiward_core.folder_objects import FolderObjects
from tests.e2e.commands import apiward, varied
from tests.e2e.conftest import Raised


@pytest.fixture
def environment(raised: Raised, tmp_path: Path) -> dict[str, str]:
    """The operator, who may query the workspace, on a copy of the connector's state."""
    shutil.copytree(raised.demo.folder / "connector", tmp_path / "state", dirs_exist_ok=True)
    return varied(raised.environment("operator"), {"state_dir": str(tmp_path / "state")})


def run(environment: dict[str, str], folder: Path, *arguments: str) -> tuple[int, Any]:
    done = apiward("ingest", *arguments, "--json", environment=environment, folder=folder)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def objects(folder: Path) -> FolderObjects:
    return FolderObjects(folder / "state" / "objects")


def states(folder: Path) -> list[str]:
    return [name for name in objects(folder).names("subscriptions/") if name.endswith("/state")]


def test_what_was_lost_or_damaged_is_rebuilt_and_the_rest_is_left_alone(
    raised: Raised, environment: dict[str, str], tmp_path: Path
) -> None:
    damaged, lost, good = states(tmp_path)
    objects(tmp_path).put(damaged, b"damaged")
    objects(tmp_path).delete(lost)
    kept = objects(tmp_path).read(good)
    code, told = run(environment, tmp_path, "rebuild")
    assert code == 0, told
    assert [f"{scope['scope'][1:]}/state" for scope in told["scopes"]] == [damaged, lost]
    assert [bool(scope["kept_aside"]) for scope in told["scopes"]] == [True, False]
    assert objects(tmp_path).read(good) == kept
    assert run(environment, tmp_path, "rebuild") == (0, {"scopes": []})

    as_connector = varied(raised.environment("connector"), {"state_dir": str(tmp_path / "state")})
    code, told = run(as_connector, tmp_path, "run")
    assert (code, [scope["changes"] for scope in told["scopes"]]) == (0, [{}, {}, {}])


def test_a_good_state_is_not_rebuilt_on_demand(environment: dict[str, str], tmp_path: Path) -> None:
    subscription = states(tmp_path)[0].split("/")[1]
    code, said = run(environment, tmp_path, "rebuild", subscription)
    assert (code, "is good" in said) == (2, True)


def test_a_forgotten_subscription_is_expected_no_more(environment: dict[str, str], tmp_path: Path) -> None:
    gone = "99999999-9999-9999-9999-999999999999"
    [example, *_] = states(tmp_path)
    stored = objects(tmp_path).read(example)
    assert stored
    objects(tmp_path).put(f"subscriptions/{gone}/state", stored.data)

    def expected() -> set[str]:
        _, told = run(environment, tmp_path, "status")
        return {scope["scope"] for scope in told["scopes"]}

    assert f"/subscriptions/{gone}" in expected()
    forgotten = apiward("ingest", "forget", gone.upper(), environment=environment, folder=tmp_path)
    assert (forgotten.returncode, gone in forgotten.stdout) == (0, True)
    assert f"/subscriptions/{gone}" not in expected()
    again = apiward("ingest", "forget", gone, environment=environment, folder=tmp_path)
    assert (again.returncode, "Nothing is remembered" in again.stderr) == (2, True)
