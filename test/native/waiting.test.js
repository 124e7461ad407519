// Invariant: LibTorch's threads sleep soon when they have nothing to do, unless the user said how they wait; and child
// processes inherit the environment as it was.
import { spawnSync } from 'node:child_process';
import test from 'ava';

const program = `
  const { loadNative } = await import(new URL('../../lib/internal/load.js', ${JSON.stringify(import.meta.url)}));
  await loadNative();
  console.log('left: ' + process.env.GOMP_SPINCOUNT);
`;

/** What GNU's OpenMP says of itself while it is loaded, and what of it is left in the environment. */
function loaded(wish) {
  const { OMP_WAIT_POLICY, GOMP_SPINCOUNT, ...rest } = process.env;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...rest, OMP_DISPLAY_ENV: 'VERBOSE', ...wish },
    encoding: 'utf8',
  });
  return {
    left: stdout.match(/left: (\S+)/)?.[1],
    spins: stderr.match(/GOMP_SPINCOUNT = '(\d+)'/)?.[1],
    stderr,
  };
}

test('threads spin briefly, and the environment is as it was', (t) => {
  const { left, spins, stderr } = loaded({});
  t.is(left, 'undefined', stderr);
  if (spins === undefined) return t.log('skipped: this LibTorch does not bring GNU OpenMP');
  t.is(spins, '10000');
});

test("the user's own wish stays", (t) => {
  const { left, spins, stderr } = loaded({ GOMP_SPINCOUNT: '1234' });
  t.is(left, '1234', stderr);
  if (spins !== undefined) t.is(spins, '1234');
  const passive = loaded({ OMP_WAIT_POLICY: 'passive' });
  t.is(passive.left, 'undefined', passive.stderr);
  if (passive.spins !== undefined) t.is(passive.spins, '0');
});
