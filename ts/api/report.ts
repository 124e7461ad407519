import { writeFileAtomic } from '../files/atomic.js';
import type { ReportData } from '../report/data.js';
import { renderReport } from '../report/page.js';

export { type Comparison, type Conclusion, conclude } from '../report/conclude.js';
export type { ReportData, ReportImage, ReportTile } from '../report/data.js';
export {
  bestRow,
  type EvaluationTable,
  formatCell,
  type MetricCell,
  type MetricColumn,
  tabulate,
} from '../report/table.js';

/**
 * Writes an evaluation as one HTML page that needs nothing else.
 *
 * @throws STAINFOLD_FILE_WRITE.
 */
export async function writeReport(path: string, data: ReportData): Promise<void> {
  await writeFileAtomic(path, await renderReport(data));
}
