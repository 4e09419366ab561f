"""The bundled model, its adapter and its samples, and a tour of edgekit on them."""
