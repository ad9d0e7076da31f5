"""HTML by construction: text is always escaped, only what `tag` made is taken as it is.

Sentinel is said to show Markdown in comments, too, so text is escaped for both: what either gives a meaning becomes an
entity, which neither takes for markup. Line breaks are among it, because a blank line ends HTML in Markdown.
"""

import re
from html import escape

_MEANINGFUL = re.compile(
    r"""
    [&<>"']                            # HTML
    | [\\`*\[\]()!\#|~\n\r\t]         # Markdown, anywhere
    | (?<![^\W_])_ | _(?![^\W_])       # Markdown, but for one between letters, as table names have it
    | \A(?:[-+.=\ ]|\d+\.)             # Markdown, where a line begins
    | :(?=//) | (?<=www)\. | @         # addresses that some readers make links of
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Markup:
    """One element. Children that are not Markup are escaped, attribute values always."""
    extra = "".join(f' {key.replace("_", "-")}="{_escaped(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{extra}>{join(*children)}</{name}>")


def join(*parts: str) -> Markup:
    """The parts one after the other, escaped where they are not Markup."""
    return Markup("".join(part if isinstance(part, Markup) else _escaped(part) for part in parts))


def _escaped(text: str) -> str:
    return _MEANINGFUL.sub(lambda found: "".join(map(_entity, found.group())), text)


def _entity(character: str) -> str:
    named = escape(character)
    return named if named != character else f"&#{ord(character)};"
