"""The guardrails file as data. Whatever it does not know, it refuses."""

import re
from datetime import date, time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, NaiveDatetime, StringConstraints, model_validator

from apiward_core.arm_id import ArmId
from apiward_core.errors import ApiwardError

ANY = "*"
Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


class Mode(StrEnum):
    """What may become of a plan: only be looked at, be applied once approved, or be applied at once."""

    REPORT = "report"
    APPROVAL = "approval"
    AUTOMATIC = "automatic"

    @property
    def freedom(self) -> int:
        """How much it allows; of two modes the one with less is the stricter."""
        return list(Mode).index(self)


def _arm_id(text: str) -> ArmId:
    try:
        return ArmId.parse(text)
    except ApiwardError as error:
        raise ValueError(str(error)) from error


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # KeyError: unknown here
        raise ValueError(
            f"{name!r} is no time zone that this machine knows; write e.g. Europe/Berlin or UTC"
        ) from error
    return name


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    return text


def _wall_clock(moment: time) -> time:
    if moment.tzinfo is not None:
        raise ValueError("write the time alone; time_zone says where")
    return moment


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Scope = Annotated[str, AfterValidator(lambda text: _arm_id(text).text)]
Zone = Annotated[str, AfterValidator(_zone)]
Pattern = Annotated[str, AfterValidator(_pattern)]
WallClock = Annotated[time, AfterValidator(_wall_clock)]
Count = Annotated[int, Field(ge=0, le=100_000)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Rule(_Part):
    """The mode of a recommendation, or of all, within a scope, or everywhere."""

    recommendation: Text = ANY
    scope: Scope | None = None
    mode: Mode


class Budget(_Part):
    """How many changes may be made: by one run, and by all in any 60 minutes and any 24 hours."""

    run: Count = 10
    hour: Count = 20
    day: Count = 100


class WeeklyFreeze(_Part):
    """Some days of each week, from `starts` to `ends`; into the next day when `ends` is not later."""

    reason: Text
    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    starts: WallClock = time()
    ends: WallClock = time()
    time_zone: Zone = "UTC"


class DatedFreeze(_Part):
    """From one moment to another, both in the window's time zone."""

    reason: Text
    starts: NaiveDatetime
    ends: NaiveDatetime
    time_zone: Zone = "UTC"

    @model_validator(mode="after")
    def _is_a_window(self) -> Self:
        if self.ends <= self.starts:
            raise ValueError("ends is not later than starts")
        return self


class Freeze(_Part):
    """When nothing is changed."""

    weekly: tuple[WeeklyFreeze, ...] = ()
    dated: tuple[DatedFreeze, ...] = ()


class Protected(_Part):
    """What is never changed: ARM ids with all below them, and resources whose service has a tag (value or "*")."""

    ids: tuple[Scope, ...] = ()
    tags: dict[Text, Text] = Field(default_factory=dict)


class Approval(_Part):
    """Who may approve (everybody when empty), whether the requester may not, and what the ticket must look like."""

    approvers: tuple[Text, ...] = ()
    four_eyes: bool = True
    ticket_pattern: Pattern | None = None


class AcceptedRisk(_Part):
    """A finding, or a recommendation within a scope, that somebody decided to live with, to the end of a day in UTC."""

    finding: Text | None = None
    recommendation: Text | None = None
    scope: Scope | None = None
    reason: Text
    accepted_by: Text
    expires: date

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        by_scope = self.recommendation is not None and self.scope is not None
        any_scope = self.recommendation is not None or self.scope is not None
        if (self.finding is None) != by_scope or (self.finding is not None and any_scope):
            raise ValueError("name either a finding, or a recommendation and a scope")
        return self


class Document(_Part):
    """The whole file."""

    default: Mode = Mode.REPORT
    rules: tuple[Rule, ...] = ()
    budget: Budget = Budget()
    freeze: Freeze = Freeze()
    protected: Protected = Protected()
    kill_switch: bool = False
    kill_switch_file: Path | None = None
    approval: Approval = Approval()
    accepted_risks: tuple[AcceptedRisk, ...] = ()
