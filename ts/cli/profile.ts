/** `--profile`: where the time went, as a table and as a trace. */
import type { Command } from 'commander';
import type { ProfileReport, Profiler } from '../index.js';
import { formatDuration } from './format.js';
import type { Terminal } from './terminal.js';

export interface ProfileFlag {
  profile?: true;
}

export function addProfile(command: Command, trace: string): Command {
  return command.option(
    '--profile',
    `say how much of the time each stage takes and which one limits, and write ${trace} for ui.perfetto.dev`,
  );
}

/** Writes the trace, shows the table on stderr, and returns what `--json` adds. */
export async function finishProfile(
  terminal: Terminal,
  profiler: Profiler,
  trace: string,
): Promise<{ profile: ProfileReport & { trace: string } }> {
  await profiler.save(trace);
  const report = profiler.report();
  const { bold, dim } = terminal.colours.stderr;
  terminal.note(bold('stage      share of wall time   summed   times'));
  for (const { stage, share, seconds, count } of report.stages) {
    const bar = '━'.repeat(Math.round(10 * share)).padEnd(10, '╌');
    const percent = `${(100 * share).toFixed(1)} %`.padStart(7);
    const summed = formatDuration(seconds).padStart(8);
    terminal.note(
      `${stage.padEnd(9)}  ${bar} ${percent} ${summed} ${count.toLocaleString('en-US').padStart(7)}`,
    );
  }
  terminal.note(report.summary);
  terminal.note(`${dim('trace')}  ${trace}`);
  return { profile: { ...report, trace } };
}
