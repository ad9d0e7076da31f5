"""Microsoft Sentinel: analytics rules that really run, alerts, incidents and comments."""

from apiward_lab.sentinel.service import Sentinel

__all__ = ["Sentinel"]
