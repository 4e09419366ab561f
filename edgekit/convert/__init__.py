"""From a checkpoint and its adapters to files that run elsewhere."""
