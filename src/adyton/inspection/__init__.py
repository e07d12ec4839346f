"""Inspection: a file's fields, by name, place, value and meaning. It shows, and verifies nothing."""

from adyton.inspection.inspect import inspect
from adyton.inspection.limits import InspectionLimits
from adyton.inspection.tree import Inspection, Node

__all__ = ["Inspection", "InspectionLimits", "Node", "inspect"]
