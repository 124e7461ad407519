// Work in stages under one limit of time: each is stopped hard when its own is over, and after each the report is written.
import { spawn } from 'node:child_process';

/** What is kept of what a process said: enough for its last words. */
const KEPT_CHARACTERS = 200_000;

export class Stages {
  #end;
  #report = {};
  #write;

  /** @param seconds For all stages together. @param write Called with { name: { status, seconds, ... } } after each. */
  constructor({ seconds, write }) {
    this.#end = performance.now() + seconds * 1000;
    this.#write = write;
  }

  get left() {
    return Math.max(0, (this.#end - performance.now()) / 1000);
  }

  get report() {
    return this.#report;
  }

  /**
   * Runs work(limit in seconds), unless less than `least` is left. What it resolves with is its part of the report; `status` is
   * 'passed' unless it says otherwise, 'failed' where it throws, 'no time left' where it did not begin.
   *
   * @param most Seconds.
   */
  async run(name, { most, least }, work) {
    const limit = Math.min(most, this.left);
    const begun = performance.now();
    let entry;
    if (limit < least) {
      entry = { status: 'no time left' };
    } else {
      try {
        entry = { status: 'passed', ...(await work(limit)) };
      } catch (error) {
        entry = { status: 'failed', reason: error.message };
      }
    }
    const seconds = (performance.now() - begun) / 1000;
    this.#report[name] = { ...entry, seconds: Number(seconds.toFixed(1)) };
    console.log(
      `== ${name}: ${entry.status}${entry.reason ? `: ${entry.reason}` : ''} (${seconds.toFixed(0)} s)`,
    );
    this.#write(this.#report);
    return this.#report[name];
  }
}

/**
 * A process and whatever it starts, killed together after `seconds`.
 *
 * @param echo Whether its output goes to ours as it comes.
 * @returns { code, signal, timedOut, output }: `code` null where it was killed, 'ENOENT' as `error` where it could not be started.
 */
export function runLimited(command, args, { seconds, env = {}, cwd, echo = false }) {
  return new Promise((resolve) => {
    let output = '';
    let timedOut = false;
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true, // a group of its own, which dies as a whole
    });
    const take = (stream) => (data) => {
      output = `${output}${data}`.slice(-KEPT_CHARACTERS);
      if (echo) stream.write(data);
    };
    child.stdout.on('data', take(process.stdout));
    child.stderr.on('data', take(process.stderr));
    const timer = setTimeout(() => {
      timedOut = true;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // it ended in this moment
      }
    }, seconds * 1000);
    const settle = (result) => {
      clearTimeout(timer);
      resolve({ code: null, signal: null, timedOut, output, ...result });
    };
    child.on('error', (error) => settle({ error: error.code ?? error.message }));
    child.on('close', (code, signal) => settle({ code, signal }));
  });
}
