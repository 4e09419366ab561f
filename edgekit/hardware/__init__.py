"""What this machine is: memory, processor, accelerators."""
