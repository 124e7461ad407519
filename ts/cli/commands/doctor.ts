import type { Command } from 'commander';
import type { DoctorReport } from '../../index.js';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import { SaidFailure, type Session } from '../session.js';
import type { Terminal } from '../terminal.js';

export function registerDoctor(program: Command, { terminal }: Session): void {
  const command = program
    .command('doctor')
    .summary('show what works on this machine, and what to do')
    .description(
      'Show what works on this machine, what does not, and what to do. Exit code 1 where training cannot run.',
    )
    .option('--libtorch <folder>', 'examine with this LibTorch');
  addJson(command);
  addExamples(command, [
    ['doctor', 'After installing, and before reporting a problem'],
    ['doctor --json', 'What to attach to a report'],
  ]);
  command.action(async ({ json, libtorch }: JsonFlag & { libtorch?: string }) => {
    const { doctor } = await import('../../index.js');
    const report = await doctor(libtorch === undefined ? {} : { libtorch });
    if (json) terminal.json(report);
    else showReport(terminal, report);
    if (report.checks.some(({ status }) => status === 'fail'))
      throw new SaidFailure('doctor found a failure');
  });
}

export function showReport(terminal: Terminal, report: DoctorReport): void {
  const { green, yellow, red, dim } = terminal.colours.stdout;
  const marks = { ok: green('✔'), warn: yellow('!'), fail: red('✖') };
  const width = Math.max(...report.checks.map(({ name }) => name.length));
  for (const { name, status, detail, remedy } of report.checks) {
    terminal.print(`${marks[status]} ${name.padEnd(width)}  ${detail}`);
    if (remedy) terminal.print(`  ${' '.repeat(width)}  ${dim('→')} ${remedy}`);
  }
}
