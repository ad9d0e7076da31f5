"""What people are told of a run."""

from dataclasses import replace

import pytest

from apiward.commands.remediate import show_run
from apiward_playbooks.remediation import Evidence
from apiward_playbooks.runs import Run, State
from tests.property.world import planned

SEEN = Evidence(healthy=True, observed={}, statement="protocols are https")
WHEN = "2026-11-23T12:00:00.000000Z"
VERIFIED = replace(planned(1)[1], state=State.VERIFIED, evidence=SEEN, confirmed_at=WHEN)


def shown(capsys: pytest.CaptureFixture[str], run: Run) -> str:
    """What the terminal says, however it is folded."""
    show_run(run)
    return " ".join(capsys.readouterr().out.split())


def test_a_verified_run_says_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, VERIFIED)
    assert "evidence protocols are https" in text
    assert text.endswith("apiward incidents reconcile")


@pytest.mark.parametrize(
    ("state", "since"),
    [(State.ROLLING_BACK, ""), (State.ROLLED_BACK, WHEN), (State.ROLLBACK_FAILED, ""), (State.ABANDONED, WHEN)],
)
def test_what_was_seen_before_a_way_back_is_no_evidence(
    capsys: pytest.CaptureFixture[str], state: State, since: str
) -> None:
    text = shown(capsys, replace(VERIFIED, state=state, rolled_back_at=since))
    assert "https" not in text
    assert "Defender agreed" not in text
    assert (f"rolled back {WHEN}" in text) is (state is State.ROLLED_BACK)
