// Invariant: a release describes itself: what is in it, what it was made from, in which order it is published; and it refuses half of one.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import test from 'ava';
import { VERSION } from '../../lib/internal/version.js';
import { RELEASES } from '../../lib/libtorch/pins.js';
import { prepareRelease } from '../../scripts/release.mjs';
import { temporaryFolder } from '../temporary.js';
import { whyNot } from './consumer.js';

const reason = whyNot();
if (reason) console.log(`skipped: ${reason}`);
const here = reason ? test.skip : test.serial;

here(
  'a rehearsal: packages, main last; digests that are right; a bill of materials with LibTorch in it',
  async (t) => {
    const out = temporaryFolder('release');
    writeFileSync(join(out, 'mine.txt'), 'not the release script to remove');
    const { packages, sbom, digests, commands, remarks } = await prepareRelease({ out, rehearse: true });
    t.is(packages.at(-1).name, 'stainfold');
    t.true(packages.length >= 2);
    t.true(remarks.some((remark) => /of 6 platforms are built/.test(remark)));
    t.deepEqual(
      commands.map(([program, verb, path]) => [program, verb, path]),
      packages.map(({ tarball }) => ['npm', 'publish', tarball]),
    );
    for (const command of commands) t.true(command.includes('--provenance'));

    const lines = readFileSync(digests, 'utf8').trim().split('\n');
    t.is(lines.length, packages.length + 1);
    for (const line of lines) {
      const [stated, name] = line.split('  ');
      t.is(
        stated,
        createHash('sha256')
          .update(readFileSync(join(out, name)))
          .digest('hex'),
        name,
      );
    }

    const bill = JSON.parse(readFileSync(sbom, 'utf8'));
    t.is(bill.bomFormat, 'CycloneDX');
    t.is(bill.metadata.component.name, 'stainfold');
    const refs = new Set(bill.components.map((component) => component['bom-ref']));
    t.is(refs.size, bill.components.length, 'no reference twice');
    const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    for (const name of Object.keys(dependencies))
      t.true(
        bill.components.some((one) => one.name === name),
        name,
      );
    t.true(refs.has(`@stainfold/linux-${process.arch}-cpu@${VERSION}`));
    for (const { wheels } of RELEASES)
      for (const { sha256 } of wheels)
        t.true(bill.components.some((one) => one.hashes?.[0]?.content === sha256));
    t.is(readFileSync(join(out, 'mine.txt'), 'utf8').length, 32);
    t.is(basename(sbom), `stainfold-${VERSION}.cdx.json`);
  },
);

here('half a release is refused, with all that is missing', async (t) => {
  const error = await t.throwsAsync(
    prepareRelease({ out: temporaryFolder('release'), builds: temporaryFolder('builds') }),
  );
  t.regex(error.message, /^Not to be released: .*0 of 6 platforms are built \(none\)/);
});

here('a platform that is left out on purpose is not asked for, and is no dependency', async (t) => {
  const without = ['win32-x64-cu130', 'darwin-arm64'];
  const out = temporaryFolder('release');
  const { packages, remarks } = await prepareRelease({ out, without, rehearse: true });
  t.true(remarks.some((remark) => /of 4 platforms are built/.test(remark)));
  const manifest = JSON.parse(readFileSync(join(packages.at(-1).folder, 'package.json'), 'utf8'));
  t.deepEqual(Object.keys(manifest.peerDependencies), ['@stainfold/linux-x64-cu130']);
  t.false('@stainfold/darwin-arm64' in manifest.optionalDependencies);
  const error = await t.throwsAsync(prepareRelease({ out, without: ['beos-x64'], rehearse: true }));
  t.regex(error.message, /--without: there is no @stainfold\/beos-x64/);
});
