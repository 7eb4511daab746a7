import { pipeline } from 'node:stream/promises';
import { type Measurement, Meter } from '../../core/archive/meter';
import { type ArchiveStore, openObject, readText, unavailable } from '../../core/archive/store';
import type { DatabaseName } from '../../core/contract';
import { messageOf, OperationError } from '../../core/runtime/errors';
import { type ReportedRow, type ReportSummary, rowSchema, rowsKey, summaryKey, summarySchema } from './report-format';

const NEWLINE = 0x0a;

/**
 * The summary of a report.
 *
 * @throws OperationError `report_not_found`, `report_damaged`, or `store_unavailable` (retryable)
 */
export async function readSummary(
  store: ArchiveStore,
  database: DatabaseName,
  reportId: string,
): Promise<ReportSummary> {
  const key = summaryKey(database, reportId);
  const json = await readText(store, key);
  if (json === undefined) {
    throw new OperationError(
      'report_not_found',
      `There is no report ${reportId} of the ${database} database: make one`,
    );
  }
  try {
    const summary = summarySchema.parse(JSON.parse(json));
    if (summary.reportId === reportId && summary.database === database) return summary;
    throw new Error(`it is the summary of report ${summary.reportId} of the ${summary.database} database`);
  } catch (cause) {
    throw reportDamaged(key, messageOf(cause), cause);
  }
}

/**
 * Passes the rows of a report to `take`, in order, with their bytes in the object. The hash is known only at the end: what
 * `take` did with the rows counts only once this has returned.
 *
 * @param isWanted by the number of a row, from 0; asked once for each, in order. Others are hashed alone. @default - all
 * @throws OperationError `report_damaged` when the object is not what was written, `store_unavailable` (retryable), or
 * what `take` throws
 */
export async function readRows(
  store: ArchiveStore,
  summary: ReportSummary,
  take: (row: ReportedRow, bytes: number) => Promise<void>,
  isWanted?: (number: number) => boolean,
): Promise<void> {
  for await (const { row, bytes } of rowsOf(store, summary, isWanted)) await take(row, bytes);
}

/**
 * The rows of a report, in order, with their bytes in the object. The hash is known only at the end: what is done with the
 * rows counts only once all are read.
 *
 * @param isWanted see {@link readRows}
 * @throws OperationError `report_damaged` when the object is not what was written, `store_unavailable` (retryable)
 */
export async function* rowsOf(
  store: ArchiveStore,
  summary: ReportSummary,
  isWanted: (number: number) => boolean = () => true,
): AsyncGenerator<{ readonly row: ReportedRow; readonly bytes: number }> {
  const key = rowsKey(summary.database, summary.reportId);
  const verify = ({ sha256, bytes }: Measurement) => {
    if (sha256 !== summary.rowsSha256) throw reportDamaged(key, `it has ${bytes} bytes with SHA-256 ${sha256}`);
  };
  const meter = new Meter({ verify });
  const reading = pipeline(await openObject(store, key), meter);
  // Thrown by the loop, which reads what it writes.
  reading.catch(() => undefined);
  const lines = linesOf(meter);
  try {
    for (let number = 0; ; number++) {
      // What fails in between is the reader's.
      const line = await lines.next().catch((cause: unknown) => {
        throw unavailable(`read ${key}`, cause);
      });
      if (line.done) return;
      if (isWanted(number)) yield { row: parseRow(key, line.value.toString('utf8')), bytes: line.value.length };
    }
  } finally {
    meter.destroy();
  }
}

function parseRow(key: string, line: string): ReportedRow {
  try {
    return rowSchema.parse(JSON.parse(line));
  } catch (cause) {
    throw reportDamaged(key, `a line is not a row of a report (${messageOf(cause)})`, cause);
  }
}

/** Lines end with a newline only; `readline` also splits at separators that JSON leaves unescaped within text. */
async function* linesOf(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending: Buffer[] = [];
  for await (const chunk of source) {
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...pending, chunk.subarray(start, at)]);
      pending = [];
      start = at + 1;
    }
    pending.push(chunk.subarray(start));
  }
}

function reportDamaged(key: string, what: string, cause?: unknown): OperationError {
  return new OperationError('report_damaged', `Object ${key} is not what was written, ${what}: make a new report`, {
    cause,
  });
}
