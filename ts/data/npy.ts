/** NumPy's .npy, version 1.0 (numpy.lib.format): a little-endian matrix in C order, float32 by default. */
export function npyHeader(rows: number, columns: number, type: '<f2' | '<f4' | '<i8' = '<f4'): Uint8Array {
  const dictionary = `{'descr': '${type}', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  // Magic, version and length take 10 bytes; the data begins at a multiple of 64, after a newline.
  const padded = dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11, ' ');
  const header = Buffer.alloc(10 + padded.length + 1);
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(padded.length + 1, 8);
  header.write(`${padded}\n`, 10, 'latin1');
  return header;
}
