import type { ArchivedTable } from '../../archive/manifest';
import { qualified } from '../../archive/copy-session';
import { stagesOf } from '../../schema/apply/restore-schema';
import type { DumpText } from '../../schema/text/dump-text';
import { indexedTable, splitForeignKey } from '../../schema/text/keys';
import { isLarge } from '../load-plan';
import type { EntryStep } from './entries';

/** What comes after the rows, in steps. Numbers are places in the archive's text, which does not change. */
export interface AfterSteps {
  /** Indexes, and constraints with an index, of each large table: tables at the same time, their indexes one after the other. */
  readonly builds: readonly (readonly EntryStep[])[];
  /** All keys, indexes and triggers, in the order of the archive. Foreign keys of large tables are added unchecked. */
  readonly keys: readonly EntryStep[];
  /** Checks every row of large tables against foreign keys. */
  readonly checks: readonly EntryStep[];
  /** Materialised views and policies. */
  readonly rules: readonly EntryStep[];
}

export function planAfter(after: DumpText, tables: readonly ArchivedTable[]): AfterSteps {
  const large = new Set(tables.filter(isLarge).map((table) => qualified(table)));
  const { keys, rules } = stagesOf(after.entries);
  const checks: EntryStep[] = [];
  const inOrder = keys.map((entry, index): EntryStep => {
    const step = `key:${index}`;
    const split = splitForeignKey(entry);
    if (!split || !large.has(split.table)) return { step, entry };
    checks.push({ step: `check:${index}`, entry: split.check });
    return { step, entry: split.unchecked };
  });
  const built = Map.groupBy(inOrder, ({ entry }) => indexedTable(entry));
  return {
    builds: [...built].flatMap(([table, steps]) =>
      table !== undefined && large.has(table) ? [exclusiveFirst(steps)] : [],
    ),
    keys: inOrder,
    checks,
    rules: rules.map((entry, index) => ({ step: `rule:${index}`, entry })),
  };
}

/** A constraint keeps others away from its table; as the indexes follow one another, its place is as good as any. */
function exclusiveFirst(steps: readonly EntryStep[]): EntryStep[] {
  return steps.toSorted(
    (one, other) => Number(other.entry.type === 'CONSTRAINT') - Number(one.entry.type === 'CONSTRAINT'),
  );
}
