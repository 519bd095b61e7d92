"""Write a program as files that run without Python: C, a page, an ONNX model.

May import all of the room. Begin with writable.py; loops.py writes what C and JavaScript share.
"""
