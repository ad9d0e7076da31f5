"""Routes of Microsoft.Insights/workbooks at api-versions 2022-04-01 and 2023-06-01."""

from collections.abc import Iterable, Sequence

from apiward_lab.clock import VirtualClock
from apiward_lab.loganalytics.problems import not_found
from apiward_lab.web import Call, Problem, Reply, Route
from apiward_lab.workbooks.workbook import Workbook, check_name, patch, put

_VERSIONS = ("2022-04-01", "2023-06-01")
_TYPE = "Microsoft.Insights/workbooks"


class Workbooks:
    """Workbooks with all their revisions. `groups` are the ARM ids of the resource groups that there are."""

    def __init__(self, clock: VirtualClock, *, groups: Iterable[str]) -> None:
        self._clock = clock
        self._groups = {group.lower() for group in groups}
        self._revisions: dict[str, list[Workbook]] = {}

    @property
    def routes(self) -> Sequence[Route]:
        """The operations, each guarded by the action that Microsoft publishes for it."""
        subscription = "/subscriptions/{subscription}"
        many = subscription + "/resourceGroups/{group}/providers/" + _TYPE
        one = many + "/{workbook}"
        read, revisions = f"{_TYPE}/read", f"{_TYPE}/revisions/read"
        return [
            Route("GET", f"{subscription}/providers/{_TYPE}", self._list, _VERSIONS, action=read),
            Route("GET", many, self._list, _VERSIONS, action=read),
            Route("GET", one, self._get, _VERSIONS, action=read),
            Route("PUT", one, self._put, _VERSIONS, action=f"{_TYPE}/write"),
            Route("PATCH", one, self._patch, _VERSIONS, action=f"{_TYPE}/write"),
            Route("DELETE", one, self._delete, _VERSIONS, action=f"{_TYPE}/delete"),
            Route("GET", one + "/revisions", self._list_revisions, _VERSIONS, action=revisions),
            Route("GET", one + "/revisions/{revision}", self._get_revision, _VERSIONS, action=revisions),
        ]

    def _list(self, call: Call) -> Reply:
        category = call.query.get("category")
        if not category:
            raise Problem(400, "BadRequest", "The query parameter 'category' is required to list workbooks.")
        scope = call.scope.lower().partition("/providers/")[0] + "/"
        found = [
            workbook
            for workbook in self._current()
            if workbook.resource_id.lower().startswith(scope)
            and str(workbook.properties["category"]).lower() == category.lower()
            and _is_about(workbook, call.query.get("sourceId"))
            and set(filter(None, call.query.get("tags", "").split(","))) <= set(workbook.tags)
        ]
        return Reply(body={"value": [workbook.body(with_content=_wants_content(call)) for workbook in found]})

    def _get(self, call: Call) -> Reply:
        return Reply(body=self._existing(call)[-1].body(with_content=_wants_content(call)))

    def _put(self, call: Call) -> Reply:
        check_name(call.scope)
        group = call.scope.partition("/providers/")[0]
        if group.lower() not in self._groups:
            raise Problem(
                404, "ResourceGroupNotFound", f"Resource group '{group.rpartition('/')[2]}' could not be found."
            )
        history = self._revisions.get(call.scope.lower(), [])
        resource_id = history[-1].resource_id if history else call.scope
        workbook = put(
            resource_id,
            call.json(),
            source_id=call.query.get("sourceId"),
            user_id=_user(call),
            now=self._clock.now(),
        )
        self._refuse_second_name(workbook)
        self._revisions[call.scope.lower()] = [*history, workbook]
        return Reply(200 if history else 201, workbook.body(with_content=True))

    def _patch(self, call: Call) -> Reply:
        history = self._existing(call)
        workbook = patch(
            history[-1],
            call.json(),
            source_id=call.query.get("sourceId"),
            user_id=_user(call),
            now=self._clock.now(),
        )
        self._refuse_second_name(workbook)
        history.append(workbook)
        return Reply(body=workbook.body(with_content=True))

    def _delete(self, call: Call) -> Reply:
        return Reply(200 if self._revisions.pop(call.scope.lower(), None) else 204)

    def _list_revisions(self, call: Call) -> Reply:
        newest_first = reversed(self._existing(call))
        return Reply(body={"value": [revision.body(with_content=False) for revision in newest_first]})

    def _get_revision(self, call: Call) -> Reply:
        wanted = call.params["revision"]
        for revision in self._existing(call):
            if revision.revision == wanted.lower():
                return Reply(body=revision.body(with_content=True))
        raise not_found(f"{_TYPE}/revisions", f"{call.params['workbook']}/{wanted}", call.params["group"])

    def _current(self) -> Iterable[Workbook]:
        return [history[-1] for _, history in sorted(self._revisions.items())]

    def _existing(self, call: Call) -> list[Workbook]:
        resource_id = "/subscriptions/{subscription}/resourceGroups/{group}/providers/{type}/{workbook}".format(
            **call.params, type=_TYPE
        )
        history = self._revisions.get(resource_id.lower())
        if history is None:
            raise not_found(_TYPE, call.params["workbook"], call.params["group"])
        return history

    def _refuse_second_name(self, workbook: Workbook) -> None:
        """A gallery, which is what one source and category make, shows each display name once."""
        for other in self._current():
            if other.resource_id.lower() != workbook.resource_id.lower() and _gallery_entry(other) == _gallery_entry(
                workbook
            ):
                raise Problem(
                    409,
                    "Conflict",
                    f"A workbook with the same name already exists: '{workbook.properties['displayName']}' is "
                    f"'{other.name}'.",
                )


def _gallery_entry(workbook: Workbook) -> tuple[str, ...]:
    group = workbook.resource_id.partition("/providers/")[0]
    shown = (str(workbook.properties.get(name, "")) for name in ("category", "sourceId", "displayName"))
    return tuple(text.lower() for text in (group, *shown))


def _is_about(workbook: Workbook, source_id: str | None) -> bool:
    return source_id is None or str(workbook.properties.get("sourceId", "")).lower() == source_id.lower()


def _wants_content(call: Call) -> bool:
    return call.query.get("canFetchContent", "false").lower() == "true"


def _user(call: Call) -> str:
    return call.principal.object_id if call.principal else ""
