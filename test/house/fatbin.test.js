import test from 'ava';
import { cudaArchitectures } from '../../scripts/fatbin.mjs';

function entry(kind, arch, payload = 16) {
  const bytes = Buffer.alloc(64 + payload);
  bytes.writeUInt16LE(kind, 0);
  bytes.writeUInt32LE(64, 4);
  bytes.writeBigUInt64LE(BigInt(payload), 8);
  bytes.writeUInt32LE(arch, 28);
  return bytes;
}

function container(...entries) {
  const body = Buffer.concat(entries);
  const header = Buffer.alloc(16);
  header.writeUInt32LE(0xba55ed50, 0);
  header.writeUInt16LE(1, 4);
  header.writeUInt16LE(16, 6);
  header.writeBigUInt64LE(BigInt(body.length), 8);
  return Buffer.concat([header, body]);
}

test('machine code and PTX are told apart, over several containers', (t) => {
  const binary = Buffer.concat([
    Buffer.from('ELF and such'),
    container(entry(2, 80), entry(2, 90), entry(1, 90)),
    Buffer.from('padding'),
    container(entry(2, 90, 128)),
  ]);
  t.deepEqual(cudaArchitectures(binary), ['sm_80', 'sm_90', 'compute_90']);
});

test('a binary without CUDA code, a bare magic and a cut container give nothing that is not there', (t) => {
  t.deepEqual(cudaArchitectures(Buffer.from('no kernels here')), []);
  t.deepEqual(cudaArchitectures(Buffer.from([0x50, 0xed, 0x55, 0xba])), []);
  t.deepEqual(cudaArchitectures(container(entry(2, 80)).subarray(0, 60)), []);
});
