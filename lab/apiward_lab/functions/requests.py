"""HTTP triggers: routes, keys, and the request and answer of a function."""

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from azure.functions.meta import Datum

from apiward_lab.dispatch import Incoming
from apiward_lab.functions.declared import Declared, LoadError
from apiward_lab.web import Reply

Run = Callable[[Declared, Datum], Datum | None]


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of an app: the master key opens everything, the host key what is at level function."""

    master: str
    host: str

    def is_master(self, incoming: Incoming) -> bool:
        """Whether the request has the master key."""
        return _same(_key(incoming), self.master)

    def admit(self, incoming: Incoming, level: str) -> bool:
        """Whether the request may run a function of this authorization level."""
        if level == "ANONYMOUS" or self.is_master(incoming):
            return True
        return level == "FUNCTION" and _same(_key(incoming), self.host)


class HttpFunctions:
    """Answers requests by the functions whose route and method they fit."""

    def __init__(self, functions: Sequence[Declared], *, prefix: str, keys: Keys, run: Run) -> None:
        self._routes = [(_pattern(prefix, declared), declared) for declared in functions]
        self._keys = keys
        self._run = run

    def answer(self, incoming: Incoming) -> Reply:
        """401 without the key that the function asks for, 404 when none has this route and method."""
        for pattern, declared in self._routes:
            found = pattern.fullmatch(incoming.path)
            if found is None or incoming.method not in _methods(declared):
                continue
            if not self._keys.admit(incoming, declared.trigger.properties.get("authLevel", "FUNCTION")):
                return Reply(401)
            return _reply(self._run(declared, _request(incoming, found.groupdict())))
        return Reply(404)


def _key(incoming: Incoming) -> str:
    return incoming.headers.get("x-functions-key") or incoming.query.get("code", "")


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode(), known.encode())


def _pattern(prefix: str, declared: Declared) -> re.Pattern[str]:
    path = f"/{prefix}/{declared.trigger.properties['route']}" if prefix else f"/{declared.trigger.properties['route']}"
    parts = re.split(r"\{([^}]+)\}", path)
    if any(not name.isidentifier() for name in parts[1::2]):
        raise LoadError(f"{declared.name}: the lab has no route constraints such as in {path}")
    named = [re.escape(part) if index % 2 == 0 else f"(?P<{part}>[^/]+)" for index, part in enumerate(parts)]
    return re.compile("".join(named), re.IGNORECASE)


def _methods(declared: Declared) -> Sequence[str]:
    methods: Sequence[str] = declared.trigger.properties.get("methods") or ("GET", "POST")
    return methods


def _request(incoming: Incoming, parameters: dict[str, str]) -> Datum:
    texts = {"method": incoming.method, "url": f"{incoming.base_url}{incoming.path}"}
    maps = {"headers": incoming.headers, "query": incoming.query, "params": parameters}
    return Datum(
        {
            **{name: Datum(text, "string") for name, text in texts.items()},
            **{name: {key: Datum(text, "string") for key, text in held.items()} for name, held in maps.items()},
            "body": Datum(incoming.body, "bytes"),
        },
        "http",
    )


def _reply(answer: Datum | None) -> Reply:
    if answer is None:
        return Reply(204)
    if answer.type == "string":
        return Reply(200, answer.value.encode(), {"Content-Type": "text/plain"})
    headers = {name: datum.value for name, datum in answer.value.get("headers", {}).items()}
    body = answer.value["body"].value if "body" in answer.value else None
    return Reply(int(answer.value["status_code"].value), body, headers)
