"""A Gemma 4 checkpoint as ONNX graphs: token embeddings, decoder, vision and audio encoder, each a file."""
