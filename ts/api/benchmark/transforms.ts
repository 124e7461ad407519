/** Where a row's altered tiles come from. */
import { StainfoldError } from '../../errors.js';
import type { NativeAddon } from '../../internal/native.js';
import type { BenchmarkPlan, Job } from './plan.js';
import type { TileTransform } from './prepare.js';
import type { Report } from './run.js';

/** Opens the transform of a row that has one. */
export function openTransform(
  _native: NativeAddon,
  _plan: BenchmarkPlan,
  { row }: Job,
  _report: Report,
): (folder: string) => Promise<TileTransform> {
  return async () => {
    throw new StainfoldError('STAINFOLD_STATE', `Row '${row}' cannot be run by this version`);
  };
}
