// Which GPU architectures a binary really holds, read from its fat binary headers: cuobjdump is not everywhere.
//
//   node scripts/fatbin.mjs build/native/cu130/stainfold.node     ->  sm_80 sm_90 compute_90 (PTX)
//
// Layout, little-endian. Container: u32 magic 0xBA55ED50, u16 version, u16 header bytes, u64 bytes of the entries that follow.
// Entry: u16 kind (1 PTX, 2 machine code), u16 version, u32 header bytes, u64 payload bytes, ..., u32 architecture at byte 28.
import { readFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';

const MAGIC = 0xba55ed50;
const KINDS = new Map([
  [1, 'compute'],
  [2, 'sm'],
]);

/** -> sorted names, `sm_NN` for machine code and `compute_NN` for PTX; empty when the binary holds no CUDA code. */
export function cudaArchitectures(binary) {
  const found = new Set();
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(MAGIC);
  for (let at = binary.indexOf(magic); at !== -1; at = binary.indexOf(magic, at + 4)) {
    if (at + 16 > binary.length) break;
    const headerBytes = binary.readUInt16LE(at + 6);
    const end = at + headerBytes + Number(binary.readBigUInt64LE(at + 8));
    // The magic also appears as a constant in code and in the CUDA runtime: a container has a sane header and extent.
    if (headerBytes !== 16 || end > binary.length) continue;
    for (let entry = at + headerBytes; entry + 32 <= end; ) {
      const kind = KINDS.get(binary.readUInt16LE(entry));
      const step = binary.readUInt32LE(entry + 4) + Number(binary.readBigUInt64LE(entry + 8));
      if (kind === undefined || step < 32 || entry + step > end) break;
      found.add(`${kind}_${binary.readUInt32LE(entry + 28)}`);
      entry += step;
    }
  }
  return [...found].sort((a, b) => a.split('_')[1] - b.split('_')[1] || b.localeCompare(a));
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const names = cudaArchitectures(readFileSync(argv[2]));
  console.log(
    names.length > 0
      ? names.map((n) => (n.startsWith('compute') ? `${n} (PTX)` : n)).join(' ')
      : 'no CUDA code',
  );
}
