import test from 'ava';
import { RELEASES, releaseFor } from '../../lib/libtorch/pins.js';
import { pipArguments } from '../../lib/libtorch/pip.js';

test('the pins are complete and well-formed', (t) => {
  t.deepEqual(
    RELEASES.map(({ variant }) => variant),
    ['cpu', 'cu130'],
  );
  for (const wheel of RELEASES.flatMap(({ wheels }) => wheels)) {
    t.regex(wheel.sha256, /^[0-9a-f]{64}$/);
    t.regex(
      wheel.file,
      /^[a-z0-9_]+-[0-9.]+(\+cpu)?-(cp311-cp311|py3-none)-manylinux\w+(\.manylinux\w+)?\.whl$/,
    );
    t.is(wheel.file.split('-')[0].replaceAll('_', '-'), wheel.project);
    t.is(wheel.file.split('-')[1], wheel.version);
    t.true(wheel.bytes > 10_000);
  }
  t.is(releaseFor('cpu').version, '2.13.0');
  t.is(releaseFor('cu130').wheels.length, 16);
  t.true(['cpu', 'cu130'].includes(releaseFor('auto').variant));
});

test('pip is asked for the wheel by its own tags, whatever Python it runs in', (t) => {
  const [torch] = releaseFor('cpu').wheels;
  const args = pipArguments(torch, '/d').join(' ');
  t.regex(
    args,
    /--only-binary=:all: --python-version 3\.11 --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 /,
  );
  t.regex(
    args,
    /--extra-index-url https:\/\/download\.pytorch\.org\/whl\/cpu .*--dest \/d torch==2\.13\.0\+cpu$/,
  );
  const nvrtc = releaseFor('cu130').wheels.find(({ project }) => project === 'nvidia-cuda-nvrtc');
  t.regex(
    pipArguments(nvrtc, '/d').join(' '),
    /--platform manylinux2010_x86_64 --platform manylinux_2_12_x86_64/,
  );
});
