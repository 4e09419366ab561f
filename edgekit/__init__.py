"""Gemma 4 on the machine a person already has."""

__version__ = "0.1.0"
