"""The colours and icons of workbooks as few tones, each of which a report has in light, dark and print."""

from collections.abc import Mapping

_BY_NAME: Mapping[str, str] = {
    **dict.fromkeys(
        ("red", "redbright", "reddark", "pink", "magenta", "critical", "error", "failed", "sev0", "sev1"), "red"
    ),
    **dict.fromkeys(("orange", "warning", "sev2", "yellow"), "orange"),
    **dict.fromkeys(("blue", "bluedark", "lightblue", "turquoise", "purple", "info", "sev3", "sev4"), "blue"),
    **dict.fromkeys(("green", "greendark", "success", "available", "resolved"), "green"),
}
PLAIN = "gray"
SERIES = ("blue", "orange", "green", "red", PLAIN)
"""For series of a chart that the workbook gives no colour."""


def tone(name: object) -> str:
    """The tone of a colour or icon; gray for those that say nothing."""
    return _BY_NAME.get(str(name).lower(), PLAIN)
