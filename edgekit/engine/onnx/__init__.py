"""A folder of ONNX files through onnxruntime."""
