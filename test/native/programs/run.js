import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Runs a program of this folder. startup: until it prints the line `ending`; seconds: from there to its end. */
export function run(program, ...args) {
  const child = spawn(process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const begun = performance.now();
  let since = Number.NaN;
  const collect = (chunk) => {
    output += chunk;
    if (Number.isNaN(since) && output.includes('ending\n')) since = performance.now();
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const [startup, seconds] = [since - begun, performance.now() - since].map((ms) => ms / 1000);
      resolve({ code, signal, output, startup, seconds });
    });
  });
}
