// Child of lock.test.js: takes the lock of the folder given, appends a line on entering and on leaving, and says how it went.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFolder } from '../../lib/files/lock.js';

const [folder, mode] = process.argv.slice(2);
try {
  const lock = await lockFolder(folder);
  appendFileSync(join(folder, 'journal'), `enter ${process.pid}\n`);
  console.log('held');
  if (mode === 'stay') await sleep(60_000);
  await sleep(30);
  appendFileSync(join(folder, 'journal'), `leave ${process.pid}\n`);
  if (mode !== 'exit') lock.release();
} catch (error) {
  console.log(error.code);
}
