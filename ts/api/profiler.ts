import { StageProfiler } from '../data/profiler.js';
import type { Profiler } from '../types.js';

/**
 * Measures where the time of `embed` and `train` goes, stage by stage.
 *
 * @example
 * const profile = createProfiler();
 * await encoder.embed(paths, { profile });
 * console.log(profile.report().summary);
 * await profile.save('trace.json'); // opens in ui.perfetto.dev
 */
export function createProfiler(): Profiler {
  return new StageProfiler();
}
