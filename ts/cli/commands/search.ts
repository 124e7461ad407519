import type { Command } from 'commander';
import { addExamples, addJson, type JsonFlag } from '../options.js';
import { integer } from '../parse.js';
import type { Session } from '../session.js';

interface SearchFlags extends JsonFlag {
  slide: string;
  count?: number;
}

export function registerSearch(program: Command, session: Session): void {
  const command = program
    .command('search')
    .summary('find the slides most like one of them')
    .description(
      "Find the slides most like one of them, by the cosine of the vectors that 'embed' wrote for slides.",
    )
    .argument('<features>', "folder of slides' features, or its slides.parquet")
    .requiredOption('--slide <name>', 'which one: its name as slides.csv has it')
    .option('--count <n>', 'slides to list at most (default: 10)', integer(1));
  addJson(command);
  addExamples(command, [
    ['search features --slide TCGA-A1-A0SB --count 5', 'The five slides nearest to one'],
  ]);
  command.action((features: string, flags: SearchFlags) => runSearch(session, features, flags));
}

async function runSearch(
  { terminal }: Session,
  features: string,
  { slide, count, json }: SearchFlags,
): Promise<void> {
  const { nearestSlides, readSlideVectors } = await import('../../index.js');
  const vectors = await readSlideVectors(features);
  const matches = nearestSlides(vectors, slide, count);
  if (json) {
    terminal.json({ slide, of: vectors.names.length, matches });
    return;
  }
  const { dim } = terminal.colours.stdout;
  terminal.print(dim('cosine  slide'));
  for (const match of matches) terminal.print(`${match.similarity.toFixed(4)}  ${match.slide}`);
}
