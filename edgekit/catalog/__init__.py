"""The models that exist: shapes, files, scores; read from profiles/models."""
