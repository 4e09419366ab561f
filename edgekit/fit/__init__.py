"""What a model costs on a machine, and which one to choose."""
