"""Proof after a conversion: the file runs, and an adapter changed what it says."""
