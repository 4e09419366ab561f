"""Gemma 3, and FunctionGemma, which is one: from Hugging Face names and shapes to GGUF names and shapes."""
