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
