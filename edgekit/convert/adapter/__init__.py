"""PEFT adapters: every key a change of a named tensor, or a refusal with its reason."""

from edgekit.convert.adapter.adapters import Adapters
from edgekit.convert.adapter.changes import Change
from edgekit.convert.adapter.directory import Adapter
from edgekit.convert.adapter.ledger import LedgerEntry
from edgekit.convert.adapter.settings import CONFIG

__all__ = ["CONFIG", "Adapter", "Adapters", "Change", "LedgerEntry"]
