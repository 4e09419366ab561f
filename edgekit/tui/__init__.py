"""The terminal application: one widget per file, its style sheet beside it."""
