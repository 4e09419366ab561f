"""llama.cpp through the C bindings of llama-cpp-python."""
