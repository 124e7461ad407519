// Features that tests write and read back.
export const GEOMETRY = {
  slide: 'slidé 1',
  width: 40_000,
  height: 30_000,
  mpp: 0.25,
  tileSize: 256,
  tileMpp: 0.5,
  overlap: 32,
};

/** Value of row r, column c: exact in float16. */
export const value = (r, c) => (r % 256) - c / 8;

/** Chunks of uneven sizes, one of them empty, of `rows` tiles of `columns` dimensions. */
export async function* chunks(rows, columns, most = 7) {
  let first = 0;
  for (let n = 0; first < rows; n++) {
    const count = Math.min(rows - first, n % (most + 1));
    yield {
      features: Float32Array.from({ length: count * columns }, (_, i) =>
        value(first + Math.floor(i / columns), i % columns),
      ),
      coords: Int32Array.from({ length: count * 2 }, (_, i) => place(first + Math.floor(i / 2), i % 2)),
    };
    first += count;
  }
}

/** x and y of a row, in level-0 pixels. Beyond 2^16, and a border tile left of the slide. */
export const place = (r, axis) => (axis === 0 ? 512 * r - 256 : 100_000 + r);

export const allValues = (rows, columns) =>
  Float32Array.from({ length: rows * columns }, (_, i) => value(Math.floor(i / columns), i % columns));
export const allPlaces = (rows, scale = 1) =>
  Float64Array.from({ length: rows * 2 }, (_, i) => place(Math.floor(i / 2), i % 2) * scale);
