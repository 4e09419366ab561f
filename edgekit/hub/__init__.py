"""The Hugging Face Hub: what it holds, how its files come here, and its cache on this machine."""
