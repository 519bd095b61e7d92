"""Write a program as an ONNX model; begin with model.py."""
