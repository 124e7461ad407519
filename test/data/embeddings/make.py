"""Writes the files beside it in the layouts of TRIDENT, CLAM and STAMP, and as parquet: value = row + column / 4, exact in float16.

pip install h5py pyarrow numpy; python make.py
"""

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS, COLUMNS = 5, 3
values = np.arange(ROWS)[:, None] + np.arange(COLUMNS)[None, :] / 4
coords = np.stack([np.arange(ROWS) * 256, np.zeros(ROWS, int)], 1)
names = [f"tiles/{i}.png" for i in range(ROWS)]

with h5py.File("trident.h5", "w") as f:
    features = f.create_dataset("features", data=values.astype("f4"), chunks=(1, COLUMNS))
    features.attrs.update(name="slide", savetodir="features_uni_v1", encoder="uni_v1")
    f.create_dataset("coords", data=coords.astype("i8")).attrs.update(patch_size=256, patch_size_level0=512)
with h5py.File("clam.h5", "w") as f:
    f.create_dataset("features", data=values.astype("f4"), maxshape=(None, COLUMNS), compression="gzip")
    f.create_dataset("coords", data=coords.astype("i4"))
with h5py.File("stamp.h5", "w") as f:
    f.create_dataset("feats", data=values.astype("f2"))
    f.create_dataset("coords", data=coords.astype("f4"))
    f.attrs.update(stamp_version="2.3.0", extractor="uni2", unit="um", tile_size_um=256.0, tile_size_px=224, feat_type="tile")
with h5py.File("named.h5", "w") as f:
    f.create_dataset("features", data=values[::-1].astype("f8"))
    f.create_dataset("file", data=names[::-1], dtype=h5py.string_dtype())
with h5py.File("empty.h5", "w") as f:
    f.create_dataset("coords", data=coords.astype("i8"))

lists = pa.array(values.astype("f4").tolist(), pa.list_(pa.float32()))
pq.write_table(pa.table({"file": names, "embedding": lists}), "list.parquet", row_group_size=2)
pq.write_table(
    pa.table({"site": ["A"] * ROWS, **{f"z{c}": values[:, c].astype("f8") for c in range(COLUMNS)}}), "columns.parquet"
)
