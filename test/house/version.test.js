// The version stands in four places, each of which is read where the others are not: they must agree.
import { readFileSync } from 'node:fs';
import test from 'ava';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('package.json, its lock, CMakeLists.txt and ts/internal/version.ts name one version', (t) => {
  const { version } = JSON.parse(read('package.json'));
  t.is(JSON.parse(read('package-lock.json')).packages[''].version, version);
  t.is(read('CMakeLists.txt').match(/^project\(stainfold VERSION (\S+)/m)?.[1], version);
  t.is(read('ts/internal/version.ts').match(/VERSION = '(.+)'/)?.[1], version);
});
