// Invariant: what a binary asks of the system is read from the binary, and a system that lacks it is told so in a sentence.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { abiFloor, highestVersions, readSymbolVersions } from '../../lib/internal/elf.js';
import { checkHost, readHost } from '../../lib/internal/host.js';
import { temporary } from './fakes.js';

const onLinux = process.platform === 'linux' ? test : test.skip;
const hasReadelf = spawnSync('readelf', ['--version']).status === 0;

const MODERN = {
  platform: 'linux',
  arch: 'x64',
  glibc: '2.36',
  libstdcxx: { path: '/lib/libstdc++.so.6', has: { glibcxx: '3.4.30', cxxabi: '1.3.13' } },
};
const refusal = (t, floor, host) =>
  t.throws(() => checkHost('The addon', floor, () => host), { code: 'STAINFOLD_PLATFORM' }).message;

test('a system that has what is needed, or nothing needed: no complaint', (t) => {
  t.notThrows(() => checkHost('x', { glibc: '2.36', glibcxx: '3.4.30', cxxabi: '1.3.9' }, () => MODERN));
  t.notThrows(() => checkHost('x', { glibc: '2.9' }, () => MODERN), 'numbers, not letters');
  t.notThrows(() => checkHost('x', undefined, () => t.fail('the system need not be asked')));
  t.notThrows(() =>
    checkHost('x', { glibc: '2.35', glibcxx: '3.4.99' }, () => ({ ...MODERN, libstdcxx: null })),
  );
});

test('glibc, GLIBCXX and CXXABI that are too old are named with both versions', (t) => {
  t.regex(refusal(t, { glibc: '2.100' }, MODERN), /needs glibc 2\.100; this system has 2\.36/);
  t.regex(
    refusal(t, { glibc: '2.35', glibcxx: '3.4.31' }, MODERN),
    /needs a libstdc\+\+ with GLIBCXX_3\.4\.31; \/lib\/libstdc\+\+\.so\.6 ends at GLIBCXX_3\.4\.30/,
  );
  t.regex(refusal(t, { glibc: '2.35', cxxabi: '1.3.14' }, MODERN), /CXXABI_1\.3\.14/);
  t.regex(refusal(t, { glibc: '2.35' }, { ...MODERN, glibc: null }), /musl/);
});

onLinux('this system: its glibc, and the libstdc++ that is loaded, read from the file', (t) => {
  const { glibc, libstdcxx } = readHost();
  t.regex(glibc, /^2\.\d+$/);
  if (libstdcxx === null) {
    t.log('this Node has its libstdc++ inside');
    return;
  }
  t.true(existsSync(libstdcxx.path));
  const text = readFileSync(libstdcxx.path, 'latin1');
  t.true(text.includes(`GLIBCXX_${libstdcxx.has.glibcxx}\0`));
});

(hasReadelf ? onLinux : test.skip)('versions needed and defined are those that readelf lists', (t) => {
  const sharp = readHost().libstdcxx?.path ?? process.execPath;
  for (const path of [process.execPath, sharp]) {
    const { stdout } = spawnSync('readelf', ['--version-info', '--wide', path], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    const part = (name) =>
      stdout.match(new RegExp(`section '\\.gnu\\.version_${name}'[\\s\\S]*?(?=\\n\\n|$)`))?.[0];
    const needed = [...(part('r') ?? '').matchAll(/^\s+0x\w+:\s+Name: (\S+)\s+Flags/gm)].map((m) => m[1]);
    const defined = [...(part('d') ?? '').matchAll(/Rev: .*Cnt: \d+\s+Name: (\S+)/g)].map((m) => m[1]);
    const found = readSymbolVersions(path);
    t.deepEqual(new Set(found.needed), new Set(needed), path);
    t.deepEqual(new Set(found.defined), new Set(defined), path);
    t.true(found.needed.length > 0);
  }
});

test('the highest of each interface, by number; private ones do not count', (t) => {
  const names = [
    'GLIBC_2.9',
    'GLIBC_2.35',
    'GLIBC_2.2.5',
    'GLIBC_PRIVATE',
    'GLIBCXX_3.4',
    'GLIBCXX_3.4.9',
    'GCC_3.0',
  ];
  t.deepEqual(highestVersions(names), { glibc: '2.35', glibcxx: '3.4.9' });
});

test('what is no ELF file, or is cut off, has no floor', (t) => {
  const folder = temporary('elf');
  writeFileSync(join(folder, 'text'), 'x'.repeat(100));
  t.is(readSymbolVersions(join(folder, 'text')), undefined);
  t.is(abiFloor([join(folder, 'text')]), undefined);
  if (process.platform !== 'linux') return;
  writeFileSync(join(folder, 'cut'), readFileSync(process.execPath).subarray(0, 4096));
  t.is(readSymbolVersions(join(folder, 'cut')), undefined);
});

onLinux('a damaged ELF file gives names or none, and ends', (t) => {
  const folder = join(import.meta.dirname, `../../node_modules/@img/sharp-linux-${process.arch}/lib`);
  const path = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.node')),
  );
  const whole = readFileSync(path);
  const found = readSymbolVersions(path);
  t.true(found.needed.length > 3);
  const sections = Number(whole.readBigUInt64LE(40));
  const damaged = join(temporary('elf'), 'damaged');
  let state = 1;
  const random = (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  let differed = 0;
  for (let round = 0; round < 300; round++) {
    const file = Buffer.from(whole);
    // Where it is read: the header, the section headers, and what these point to.
    for (let i = 0; i < 12; i++) file[sections + random(file.length - sections)] = random(256);
    if (round % 3 === 0) file[random(64)] = random(256);
    writeFileSync(damaged, file);
    const versions = readSymbolVersions(damaged);
    if (versions?.needed.join() !== found.needed.join()) differed++;
    if (versions) t.true(versions.needed.length < 10_000);
  }
  t.true(differed > 10, `the damage was seen in ${differed} files`);
});
