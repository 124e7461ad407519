import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));

/**
 * Runs a job of child.js. `onLine(line, child)` sees every line as it comes.
 * @returns {Promise<{ lines: object[], code: number | null, signal: string | null, stderr: string }>}
 */
export async function runChild(job, options, { onLine, prefix = [] } = {}) {
  const [command, ...args] = [...prefix, process.execPath, CHILD, job, JSON.stringify(options)];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = [];
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const closed = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
  });
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text);
    lines.push(line);
    onLine?.(line, child);
  }
  return { lines, ...(await closed), stderr };
}

/** The result of a job that must succeed. */
export async function resultOf(t, job, options) {
  const outcome = await runChild(job, options);
  t.is(outcome.code, 0, JSON.stringify(outcome.lines.at(-1)) + outcome.stderr);
  return outcome;
}
