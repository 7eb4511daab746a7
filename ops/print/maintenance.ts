import type { TaskRecord } from '../../lambdas/maintenance/contract';
import type { Style } from './style';
import { table } from './table';
import { bytes, counted, duration, moment } from './units';

/** Tables and indexes that a list shows. */
const SHOWN = 10;

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
        ...invalid.map((each) => `invalid: ${each}`),
      ];
    }
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

function grown(now: number, before: number | null): string {
  if (before === null) return '–';
  return `${now < before ? '-' : '+'}${bytes(Math.abs(now - before))}`;
}
