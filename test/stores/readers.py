"""Reads the files that test/stores/layouts.test.js wrote, as users of TRIDENT, CLAM and STAMP do, and prints what it found as JSON.

python readers.py FOLDER; needs h5py and numpy. pyarrow and safetensors are used where they are there.
"""

import json
import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]


class ClamDataset:
    """As CLAM's Generic_MIL_Dataset with use_h5: one bag of features a slide, read from h5_files/<slide>.h5."""

    def __init__(self, data_dir, slide_ids):
        self.data_dir, self.slide_ids = data_dir, slide_ids

    def __len__(self):
        return len(self.slide_ids)

    def __getitem__(self, index):
        full_path = os.path.join(self.data_dir, "h5_files", f"{self.slide_ids[index]}.h5")
        with h5py.File(full_path, "r") as hdf5_file:
            features = hdf5_file["features"][:]
            coords = hdf5_file["coords"][:]
        return features, coords


class TridentBags:
    """As TRIDENT's tutorials: features of a slide, and its coordinates with what they mean."""

    def __init__(self, feats_path):
        self.feats_path = feats_path
        self.names = sorted(name for name in os.listdir(feats_path) if name.endswith(".h5"))

    def __getitem__(self, index):
        with h5py.File(os.path.join(self.feats_path, self.names[index]), "r") as f:
            features = f["features"][:]
            coords = f["coords"][:]
            attributes = dict(f["coords"].attrs)
            encoder = f["features"].attrs.get("encoder", "unknown")
        return features, coords, attributes, encoder


def stamp_bag(path):
    """As STAMP's BagDataset and get_coords."""
    with h5py.File(path, "r") as h5:
        feats = np.asarray(h5["feats"][:])
        coords = h5["coords"][:]
        assert h5.attrs.get("unit") == "um" and h5.attrs.get("feat_type") == "tile"
        tile_size_um = float(h5.attrs["tile_size_um"])
        tile_size_px = int(h5.attrs["tile_size_px"])
        version = tuple(int(part) for part in h5.attrs["stamp_version"].split("."))
        extractor = h5.attrs["extractor"]
    return feats, coords, tile_size_um, tile_size_px, version, extractor


def plain(value):
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else value


def describe(path):
    """Names, types, shapes, chunks and attributes, with the Python type that h5py gives each attribute."""

    def attributes(of):
        return {name: [type(value).__name__, plain(value)] for name, value in of.attrs.items()}

    with h5py.File(path, "r") as f:
        datasets = {
            name: {
                "dtype": str(d.dtype),
                "shape": list(d.shape),
                "chunks": d.chunks and list(d.chunks),
                "maxshape": list(d.maxshape),
                "attributes": attributes(d),
            }
            for name, d in f.items()
        }
        return {"attributes": attributes(f), "datasets": datasets}


def sums(features, coords):
    return [float(features.astype("f8").sum()), float(coords.astype("f8").sum()), features[3].tolist(), coords[3].tolist()]


found = {"described": {}}
for root, _, names in os.walk(folder):
    for name in names:
        if name.endswith(".h5"):
            path = os.path.join(root, name)
            found["described"][os.path.relpath(path, folder)] = describe(path)

clam = ClamDataset(os.path.join(folder, "clam"), ["a"])
found["clam"] = sums(*clam[0])
features, coords, attributes, encoder = TridentBags(os.path.join(folder, "trident"))[0]
side = int(attributes["patch_size_level0"])
grid = ((coords - coords.min(0)) / side).max(0).tolist()
found["trident"] = [*sums(features, coords), encoder, side, grid]
feats, coords, *rest = stamp_bag(os.path.join(folder, "stamp", "a.h5"))
found["stamp"] = [*sums(feats, coords), *rest]

# A file that is appended to, as TRIDENT's save_h5(mode="a") does.
with h5py.File(os.path.join(folder, "trident", "a.h5"), "a") as f:
    for name in ("features", "coords"):
        data = f[name][:]
        f[name].resize(len(data) + 2, axis=0)
        f[name][-2:] = data[:2]
    f["slide_features"] = np.arange(3.0)
with h5py.File(os.path.join(folder, "trident", "a.h5"), "r") as f:
    found["appended"] = [len(f["features"]), float(f["features"][:].astype("f8").sum()), f["slide_features"][:].tolist()]

found["numpy"] = sums(np.load(os.path.join(folder, "a.npy")), np.load(os.path.join(folder, "a.coords.npy")))
try:
    import pyarrow.parquet as pq

    table = pq.read_table(os.path.join(folder, "a.parquet"))
    features = np.array(table["features"].to_pylist(), "f4")
    coords = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], 1)
    metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    found["parquet"] = [*sums(features, coords), str(table.schema.field("features").type), metadata.get("slide")]
except ImportError:
    found["parquet"] = None
try:
    from safetensors import safe_open

    with safe_open(os.path.join(folder, "a.safetensors"), "np") as f:
        found["safetensors"] = [*sums(f.get_tensor("features"), f.get_tensor("coords")), f.metadata()["slide"]]
except ImportError:
    found["safetensors"] = None
print(json.dumps(found))
