import type { DatabaseName } from '../../core/contract';
import type { RestoreReport } from '../../lambdas/restore/contract';
import { moment } from './units';

/** What a workflow was started for, and how to follow it; for `fields`. */
export function startedRestore(
  database: DatabaseName,
  { targetDatabase, archivedAt, tables, rows, execution = '' }: RestoreReport,
  now: Date,
): readonly (readonly [string, string])[] {
  return [
    ['database', `${targetDatabase} (being restored by a workflow: it gets this name once it is proven)`],
    ['data of', moment(archivedAt, now)],
    ['content', `${tables} tables, ${rows.toLocaleString('en')} rows`],
    ['follow', `ops runs --follow restore:${database}:${execution.split(':').at(-1)}`],
  ];
}
