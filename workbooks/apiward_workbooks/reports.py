"""Runs a workbook: every query over the workspace, every parameter at its default, and what came of each item."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from apiward_core.arm_id import ArmId
from apiward_core.clock import Clock
from apiward_core.errors import ApiwardError
from apiward_core.logs import Answer, TimeSpan
from apiward_workbooks import freshness
from apiward_workbooks.model import Group, Item, Parameters, Query, Text, Unsupported, Workbook
from apiward_workbooks.parameters import Context, Span, Values
from apiward_workbooks.time_range import LONGEST
from apiward_workbooks.visuals import VISUALS, Visual


class Reader(Protocol):
    """Answers KQL, whole or in part, and says which. `apiward_core.logs.WorkspaceLogs` is one."""

    def read(self, kql: str, *, timespan: TimeSpan) -> Answer:
        """The rows of the query, with `timespan` applied to every table. Raises ApiwardError."""
        ...


@dataclass(frozen=True, kw_only=True)
class Block:
    """What came of an item; `width` is in percent."""

    width: int = 100


@dataclass(frozen=True, kw_only=True)
class Prose(Block):
    """Markdown with its parameters filled in."""

    markdown: str
    style: str = ""


@dataclass(frozen=True, kw_only=True)
class Shown(Block):
    """A query's answer. `missing` says what is not in it, when the service cut it."""

    title: str
    visual: Visual
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class Remark(Block):
    """A sentence in the place of an item: `kind` is no-data, unsupported or failed."""

    title: str = ""
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Section(Block):
    """A group."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Report:
    """A workbook as it was at one moment.

    `chosen` holds (label, value) of each visible parameter; `problems` a sentence for each reason why queries failed or
    were answered in part, with their titles.
    """

    title: str
    workspace: ArmId
    generated: datetime
    freshness: freshness.Freshness
    chosen: tuple[tuple[str, str], ...]
    blocks: tuple[Block, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Reports:
    """Makes reports of one workspace. Each is independent of the others."""

    reader: Reader
    clock: Clock
    workspace: ArmId

    def run(
        self,
        workbook: Workbook,
        *,
        time_range: timedelta | None = None,
        on_query: Callable[[str], None] = lambda _: None,
    ) -> Report:
        """The report of `workbook`, over `time_range` in the place of what its time pickers are set to.

        A query that fails leaves its error where its rows would stand, and its title in `problems`. `on_query` hears
        the title of each query before it is asked.
        """
        making = _Making(self.reader, Context(self.workspace, self.clock.now(), time_range), on_query)
        blocks = tuple(making.blocks(workbook.items, Values()))
        fresh = making.freshness()
        return Report(
            title=workbook.title,
            workspace=self.workspace,
            generated=making.context.now,
            freshness=fresh,
            chosen=tuple(making.chosen),
            blocks=blocks,
            problems=tuple(f"{', '.join(titles)}: {reason}" for reason, titles in making.problems.items()),
        )


@dataclass
class _Making:
    reader: Reader
    context: Context
    on_query: Callable[[str], None]
    chosen: list[tuple[str, str]] = field(default_factory=list)
    problems: dict[str, list[str]] = field(default_factory=dict)

    def blocks(self, items: tuple[Item, ...], values: Values) -> Iterator[Block]:
        for item in items:
            visible = values.show(item.conditions)
            if visible is None:
                parameters = ", ".join(condition.parameter for condition in item.conditions)
                yield _unsupported(item, f"an item that depends on {parameters}, which a report cannot set")
            elif visible:
                yield from self._block(item, values)

    def _block(self, item: Item, values: Values) -> Iterator[Block]:
        match item:
            case Text():
                text, _ = values.substitute(item.markdown, plain="label")
                yield Prose(markdown=text, style=item.style, width=item.width)
            case Parameters():
                yield from self._declare(item, values)
            case Group():
                inner = values if item.exports else values.inner()
                title, _ = values.substitute(item.title, plain="label")
                yield Section(title=title, blocks=tuple(self.blocks(item.items, inner)), width=item.width)
            case Query():
                yield self._answer(item, values)
            case Unsupported():
                yield _unsupported(item, item.what)

    def _declare(self, item: Parameters, values: Values) -> Iterator[Block]:
        for parameter in item.parameters:
            value = values.declare(parameter, self.context)
            if value is None:
                yield _unsupported(item, f"the parameter {parameter.label}")
            elif not parameter.hidden:
                self.chosen.append((parameter.label, value.label))

    def _answer(self, query: Query, values: Values) -> Block:
        title, _ = values.substitute(query.title, plain="label")
        make = VISUALS.get(query.visualization)
        if make is None:
            return _unsupported(query, f"the visualisation {query.visualization}", title)
        kql, missing = values.substitute(query.kql)
        if missing:
            return _unsupported(query, f"a query with {', '.join(missing)}, which a report cannot set", title)
        self.on_query(title or query.name)
        try:
            answer = self.reader.read(kql, timespan=_timespan(query, values))
        except ApiwardError as error:
            self.problems.setdefault(str(error), []).append(title or query.name)
            return Remark(title=title, kind="failed", text=f"This could not be read. {error}", width=query.width)
        if answer.missing:
            self.problems.setdefault(f"answered only in part: {answer.missing}.", []).append(title or query.name)
        if not answer.rows:
            text, _ = values.substitute(query.no_data or "The query returned no rows.", plain="label")
            return Remark(title=title, kind="no-data", text=text, width=query.width)
        try:
            visual = make(query, answer.rows)
        except ValueError as error:
            return _unsupported(query, f"the visualisation {query.visualization} of these rows ({error})", title)
        return Shown(title=title, visual=visual, missing=answer.missing, width=query.width)

    def freshness(self) -> freshness.Freshness:
        self.on_query("data freshness")
        try:
            answer = self.reader.read(freshness.QUERY, timespan=freshness.WINDOW)
        except ApiwardError as error:
            self.problems.setdefault(str(error), []).append("data freshness")
            return freshness.UNREADABLE
        return freshness.of(answer.rows)


def _timespan(query: Query, values: Values) -> timedelta:
    picked = values.known.get(query.time_parameter)
    if isinstance(picked, Span):
        return picked.duration
    return query.duration or LONGEST  # neither: the query limits its time itself


def _unsupported(item: Item, what: str, title: str = "") -> Remark:
    return Remark(
        title=title,
        kind="unsupported",
        text=f"Reports cannot show this part of the workbook: {what}. See it in the portal.",
        width=item.width,
    )
