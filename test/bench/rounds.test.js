// Turns, checks and failures, with contestants that only say that they ran.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { Contestant } from '../../scripts/bench/contestant.mjs';
import { contest, peakOf } from '../../scripts/bench/rounds.mjs';
import { temporaryFolder } from '../temporary.js';

const ECHO = fileURLToPath(new URL('echo.mjs', import.meta.url));

function entrant(t, name, given = {}) {
  const contestant = new Contestant([process.execPath, ECHO]);
  t.teardown(() => contestant.kill());
  return { name, contestant, task: 'any', case: { name, wall: [2, 1, 3], ...given } };
}

test('A B C A B C: opened, in turns, closed', async (t) => {
  const log = join(temporaryFolder('bench'), 'log');
  const entrants = ['a', 'b', 'c'].map((name) => entrant(t, name, { log }));
  const results = await contest(entrants, { rounds: 2, seconds: 0 });
  t.is(
    readFileSync(log, 'utf8'),
    ['open', 'turn', 'turn', 'close']
      .flatMap((what) => ['a', 'b', 'c'].map((name) => `${name} ${what}\n`))
      .join(''),
  );
  t.deepEqual(results[0], { name: 'a', about: { version: '1' }, rounds: [2, 2], repeats: 6 });
});

test('a result that is not ours is told and not timed', async (t) => {
  const [equal, other] = await contest(
    [entrant(t, 'equal', { difference: 9e-5 }), entrant(t, 'other', { difference: 2e-4 })],
    { rounds: 1, seconds: 0 },
  );
  t.is(equal.rounds.length, 1);
  t.is(other.rounds, undefined);
  t.is(other.unavailable, 'not equal: 2.0e-4 apart, 0.0001 is allowed');
});

test('a NaN apart is not equal either', async (t) => {
  // JSON has no NaN: it arrives as null, which is no number.
  const [result] = await contest([entrant(t, 'nan', { difference: null })], { rounds: 1, seconds: 0 });
  t.regex(result.unavailable, /not equal/);
});

test('who refuses, dies or is missing has a reason; the others run', async (t) => {
  const results = await contest(
    [
      entrant(t, 'fine'),
      entrant(t, 'refuses', { refuses: 'no such thing' }),
      entrant(t, 'dies', { fails: 'turn' }),
      { name: 'missing', unavailable: 'nowhere to be had' },
      { name: 'absent', contestant: new Contestant(['/nowhere/program']), task: 'any', case: {} },
    ],
    { rounds: 2, seconds: 0 },
  );
  const [fine, refuses, dies, missing, absent] = results;
  t.is(fine.rounds.length, 2);
  t.is(refuses.unavailable, 'no such thing');
  t.regex(dies.unavailable, /^it ended with status 1/);
  t.is(missing.unavailable, 'nowhere to be had');
  t.regex(absent.unavailable, /could not be started/);
});

test('who does not answer is ended', async (t) => {
  const { contestant } = entrant(t, 'silent');
  const error = await t.throwsAsync(contestant.request({ do: 'turn', case: { silent: 'turn' } }, 300));
  t.regex(error.message, /no answer to 'turn' in 0.3 s/);
  await t.throwsAsync(contestant.request({ do: 'close' }), { message: /SIGKILL|no answer/ });
});

test('memory: of a run, or unknown', async (t) => {
  t.is(await peakOf(entrant(t, 'a')), 7);
  t.is(await peakOf(entrant(t, 'b', { fails: 'open' })), undefined);
  t.is(await peakOf({ unavailable: 'nowhere' }), undefined);
});
