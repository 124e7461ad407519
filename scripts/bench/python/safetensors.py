"""Reads a safetensors file: 8 bytes of length, JSON, then the tensors."""
import json

import numpy

DTYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


def load(path):
    """-> ({name: numpy array}, {key: metadata})"""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = numpy.frombuffer(data[begin:end], dtype=DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"]).copy()
    return tensors, metadata
