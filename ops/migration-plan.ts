import type { ExaminedMigration } from '../lambdas/migrate/contract';
import type { Context } from './context';
import { span } from './print/units';

/** What migrations do, for people: each statement with its locks, then whom that stops, and what is lost. */
export function describeMigrations(plan: readonly ExaminedMigration[], { style }: Pick<Context, 'style'>): string[] {
  return plan.flatMap((migration) => {
    const { name, inTransaction, statements, blocked, fails } = migration;
    const isReached = statements.some(({ locks, loses }) => locks.length + loses.length > 0) || fails === null;
    return [
      style.bold(`${name}, ${inTransaction ? 'in a transaction' : 'statement by statement, resumed after a failure'}:`),
      ...statements.flatMap(({ sql, locks, seconds }) => [
        ...sql.split('\n').map((line) => `  ${line}`),
        style.dim(`    -- ${[...locks.map(({ table, mode }) => `${mode} on ${table}`), timeOf(seconds)].join('; ')}`),
      ]),
      ...blocked.map(({ table, stops, seconds }) => style.yellow(`  ${stops} of ${table} wait ${timeOf(seconds)}`)),
      ...lossesOf(migration).map((loss) => style.red(`  LOSES ${loss}`)),
      ...(fails === null ? [] : [style.red(`  FAILS in an empty database: ${fails}`)]),
      ...(isReached ? [] : [style.dim('  not examined')]),
    ];
  });
}

/** What of the present data a migration removes. */
export function lossesOf({ statements }: ExaminedMigration): string[] {
  return statements.flatMap(({ loses }) => loses);
}

function timeOf(seconds: number): string {
  return seconds < 0.5 ? 'a moment' : `about ${span(seconds)}`;
}
