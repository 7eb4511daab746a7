import { residencyCoverage, residencyFindings, residencyFix } from '../../core/residency/contract';
import type { ResultOf, TaskRecord } from '../../lambdas/maintenance/contract';
import type { Style } from './style';
import { table } from './table';
import { bytes, counted, duration, moment } from './units';

/** Of a page of PostgreSQL. */
const BLOCK_BYTES = 8_192;
/** Tables and indexes that a list shows. */
const SHOWN = 10;
/** Cards that a list shows. */
const SHOWN_CARDS = 100;

/** Tasks of maintenance below each other, each with what it found. */
export function taskLines(tasks: readonly TaskRecord[], style: Style, now: Date): string[] {
  return tasks.flatMap((record) => {
    const { task, startedAt, outcome, durationMs, error } = record;
    const took = durationMs === null ? '' : `, ${duration(durationMs)}`;
    const heading = `${style.bold(task)}  ${moment(startedAt, now)}  ${outcome}${took}${error === null ? '' : `: ${error}`}`;
    return [heading, ...resultLines(record, style).map((line) => `  ${line}`)];
  });
}

function resultLines(record: TaskRecord, style: Style): string[] {
  if (!record.result) return [];
  switch (record.task) {
    case 'sizes': {
      const { databaseBytes, weekAgoBytes, tables } = record.result;
      const rows = tables
        .slice(0, SHOWN)
        .map((each) => [each.table, bytes(each.bytes), grown(each.bytes, each.weekAgoBytes)]);
      return [
        `${bytes(databaseBytes)}, in a week ${grown(databaseBytes, weekAgoBytes)}`,
        ...table(['table', 'size', 'in a week'], rows, style),
      ];
    }
    case 'vacuum': {
      const { vacuumed, skipped, bloat } = record.result;
      return [
        ...vacuumed.map((each) => `vacuumed ${each.table} (${each.reason}) in ${duration(each.durationMs)}`),
        ...skipped.map((each) => `skipped ${each.relation}: ${each.reason}`),
        ...bloat
          .slice(0, SHOWN)
          .map((each) => `bloat in ${each.kind} ${each.relation}: ${bytes(each.bloatBytes)} of ${bytes(each.bytes)}`),
      ];
    }
    case 'indexes': {
      const { explained, fullReads, unused, duplicate, missing, invalid, countedSince } = record.result;
      return [
        `${counted(explained, 'statement')} explained`,
        ...fullReads.map((each) => `no index: ${each.statement} reads all of ${each.tables.join(', ')}`),
        ...missing.map(
          (each) => `missing: ${each.table} (${each.columns.join(', ')}), a foreign key to ${each.references}`,
        ),
        ...duplicate.map((each) => `duplicate: ${each.index}, covered by ${each.coveredBy}`),
        ...unused.map((each) => `unused since ${countedSince}: ${each.index} (${bytes(each.bytes)})`),
        ...invalid.map(
          (each) =>
            `invalid: ${each}, which costs writes and serves no query: its build failed, or is under way. DROP INDEX CONCURRENTLY ${each}, then build it again`,
        ),
      ];
    }
    case 'cards':
      return cardLines(record.result, style);
    case 'logs':
      return logLines(record.result, style);
    case 'residency':
      return regionLines(record.result, style);
    default: {
      const { removed, rebuilt, skipped } = record.result;
      return [
        ...removed.map((index) => `removed the leftover ${index}`),
        ...rebuilt.map((each) => `rebuilt ${each.index}: ${bytes(each.bytesBefore)} to ${bytes(each.bytesAfter)}`),
        ...skipped.map((each) => `skipped ${each.relation}: ${each.reason}`),
      ];
    }
  }
}

const CARD_COLUMNS = ['table', 'column', 'row', 'brand', 'code beside it'];
const cardCells = (each: ResultOf<'cards'>['findings'][number]) => [
  each.table,
  each.column,
  each.row,
  each.brand,
  each.withCode ? 'yes' : 'no',
];

/** Where cards were found, and what was looked at. */
function cardLines({ found, findings, probableIds, tables, skipped }: ResultOf<'cards'>, style: Style): string[] {
  const shown = findings.slice(0, SHOWN_CARDS);
  const missing = findings.filter(({ missingSince }) => missingSince !== null).length;
  const open = tables.filter(({ nextBlock }) => nextBlock > 0);
  const read = tables.reduce((sum, each) => sum + each.scanned, 0);
  const readTables = tables.filter(
    ({ scanned, blocks, scannedAt }) => scanned > 0 || (blocks === 0 && scannedAt !== null),
  );
  const columns = readTables.reduce((sum, each) => sum + each.columns, 0);
  const never = tables.filter(({ scannedAt }) => scannedAt === null).map(({ table: name }) => name);
  const none = open.length + skipped.length === 0 ? 'no card number found' : 'no card number found in what was read';
  return [
    found === 0 ? none : style.bold(`${counted(found, 'card number')} found`),
    ...(found === 0 ? [] : table(CARD_COLUMNS, shown.map(cardCells), style)),
    ...(found > shown.length ? [`and ${found - shown.length} more`] : []),
    ...(missing > 0 ? [`${missing} of them not seen again, and listed until the whole table was read`] : []),
    `${bytes(read * BLOCK_BYTES)} read of ${counted(columns, 'column')} in ${counted(readTables.length, 'table')}`,
    ...(never.length === 0 ? [] : [`never read: ${never.join(', ')}`]),
    ...open.map(({ table: name, nextBlock, blocks, wholeAt }) => {
      const last = wholeAt === null ? 'never read to its end' : `last read to its end ${wholeAt.slice(0, 10)}`;
      return `${name}: the next scan continues at ${Math.round((100 * nextBlock) / blocks)} %; ${last}`;
    }),
    ...(probableIds > 0
      ? [`${counted(probableIds, 'number')} taken for ids: most in their columns fail the check digit`]
      : []),
    ...skipped.map((each) => `skipped ${each.relation}: ${each.reason}`),
  ];
}

const LOG_COLUMNS = ['log', 'stream', 'at', 'brand', 'code beside it'];
const logCells = ({ group, stream, at, brand, withCode }: ResultOf<'logs'>['findings'][number]) => [
  group,
  stream,
  at,
  brand,
  withCode ? 'yes' : 'no',
];

/** In which logs cards were found, and what was looked at. */
function logLines(result: ResultOf<'logs'>, style: Style): string[] {
  const { found, findings, probableIds, groups, skipped, uncovered } = result;
  const shown = findings.slice(0, SHOWN_CARDS);
  const total = (of: 'lines' | 'characters') => groups.reduce((sum, each) => sum + each[of], 0);
  const existing = groups.filter(({ exists }) => exists);
  const none = skipped.length === 0 ? 'no card number found' : 'no card number found in what was read';
  return [
    found === 0 ? none : style.bold(`card numbers in ${counted(found, 'line')}`),
    ...(found === 0 ? [] : table(LOG_COLUMNS, shown.map(logCells), style)),
    ...(found > shown.length ? [`and ${found - shown.length} more`] : []),
    `${counted(total('lines'), 'line')} (${bytes(total('characters'))}) read of ${counted(existing.length, 'log')}; ${groups.length - existing.length} do not exist yet`,
    ...(probableIds > 0
      ? [`${counted(probableIds, 'number')} taken for ids: most in their keys fail the check digit`]
      : []),
    ...skipped.map(({ relation, reason }) => {
      const until = groups.find(({ group }) => group === relation)?.scannedUntil;
      return `skipped ${relation}: ${reason}; ${until == null ? 'never read' : `read up to ${until.slice(0, 16).replace('T', ' ')}`}`;
    }),
    ...uncovered.map(({ what, reason }) => `not read by any scan: ${what}, ${reason}`),
  ];
}

/** Which data is where it may not be, and what was looked at. */
function regionLines(result: ResultOf<'residency'>, style: Style): string[] {
  const findings = residencyFindings(result);
  return [
    ...findings.map((finding) => style.bold(finding)),
    ...(findings.length === 0 ? [] : [residencyFix(result)]),
    residencyCoverage(result),
    ...(result.allowed.length === 0 ? [] : [`allowed: ${result.allowed.join(', ')}`]),
  ];
}

function grown(now: number, before: number | null): string {
  if (before === null) return '–';
  return `${now < before ? '-' : '+'}${bytes(Math.abs(now - before))}`;
}
