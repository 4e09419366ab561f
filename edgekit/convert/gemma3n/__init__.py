"""Gemma 3n's language model: from Hugging Face names and shapes to GGUF names and shapes."""
