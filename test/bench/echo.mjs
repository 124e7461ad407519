// A contestant that computes nothing: its case says how long a run is to have taken, how far its result is off, and how it fails.
import { appendFileSync, createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

const replies = createWriteStream('', { fd: 3 });
let given;

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  given = request.case ?? given;
  if (given?.log) appendFileSync(given.log, `${given.name} ${request.do}\n`);
  if (given?.fails === request.do) throw new Error('it fell over');
  if (given?.silent === request.do) continue;
  const about = { version: '1', difference: given?.difference };
  const answers = {
    open: given?.refuses ? { error: given.refuses } : { about },
    turn: { wall: given?.wall },
    peak: { bytes: 7 },
    close: {},
  };
  replies.write(`${JSON.stringify(answers[request.do])}\n`);
}
