"""apiward demo: the whole loop against a lab of its own."""

from apiward.demo.command import demo
from apiward.demo.story import Demo

__all__ = ["Demo", "demo"]
