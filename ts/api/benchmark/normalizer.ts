/** The classical normalisers, fitted to the source. */
import { StainfoldError } from '../../errors.js';
import type { BenchmarkPlan } from './plan.js';
import type { TileTransform } from './prepare.js';
import type { Normalizer } from './rows.js';

export async function normalizerOf(_plan: BenchmarkPlan, method: Normalizer): Promise<TileTransform> {
  throw new StainfoldError('STAINFOLD_STATE', `Row '${method}' cannot be run by this version`);
}
