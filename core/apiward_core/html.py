"""HTML by construction: text is always escaped, only what `tag` made is taken as it is."""

from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Markup:
    """One element. Children that are not Markup are escaped, attribute values always."""
    inner = "".join(child if isinstance(child, Markup) else escape(child) for child in children)
    extra = "".join(f' {key.replace("_", "-")}="{escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{extra}>{inner}</{name}>")


def join(*parts: str) -> Markup:
    """The parts one after the other, escaped where they are not Markup."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))
