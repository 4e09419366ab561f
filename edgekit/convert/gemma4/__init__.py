"""Gemma 4: from Hugging Face names and shapes to GGUF names and shapes."""
