"""What a checkpoint, an adapter, a GGUF or a Modelfile is, and what is wrong with it."""

from edgekit.convert.inspection.comparison import Comparison, compare
from edgekit.convert.inspection.inspect import comparable, inspect, inspect_pair
from edgekit.convert.inspection.report import Report

__all__ = ["Comparison", "Report", "comparable", "compare", "inspect", "inspect_pair"]
