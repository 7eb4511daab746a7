import { type ClientBase, DatabaseError, escapeIdentifier } from 'pg';
import type { ErasureHook } from './contract';
import { type ColumnFacts, readColumns } from './hooked-tables';
import { lengthOf, sampleOf } from './treatment';

const CHECK_VIOLATION = '23514';

/** What is wrong with a hook. */
export interface HookProblem {
  readonly hook: ErasureHook;
  /** The database lacks the table or the column, as one of before may. */
  readonly isMissing: boolean;
  /** Names the column and the fix. */
  readonly text: string;
}

/**
 * Compares the hooks with the main database, before any row is looked at.
 *
 * @returns what PostgreSQL would refuse, with the fix
 */
export async function checkHooks(client: ClientBase, hooks: readonly ErasureHook[]): Promise<HookProblem[]> {
  const columns = await readColumns(client, hooks);
  const problems: HookProblem[] = [];
  for (const hook of hooks) {
    const { schema, table, column, userColumn, treatment } = hook;
    const missing = [userColumn, column].find((each) => !columns.has(`${schema}.${table}.${each}`));
    const facts = columns.get(`${schema}.${table}.${column}`);
    if (missing !== undefined || facts === undefined) {
      problems.push({ hook, isMissing: true, text: `${schema}.${table}.${missing} does not exist` });
      continue;
    }
    const why =
      treatment === 'delete-row'
        ? whyNotDeleted(facts, hook, hooks)
        : (whyNotWritten(facts, treatment) ?? (await whyNotChecked(client, facts, hook)));
    if (why !== undefined) problems.push({ hook, isMissing: false, text: `${schema}.${table}.${column} ${why}` });
  }
  return problems;
}

function whyNotWritten(facts: ColumnFacts, treatment: ErasureHook['treatment']): string | undefined {
  const { type, maxLength, foreignKeys, referrers, uniqueIndexes } = facts;
  if (facts.generated) return 'is generated: name the columns that it is made of, and leave it out';
  if (treatment === 'drop' && facts.required) return 'cannot be dropped, because it is NOT NULL: blank it';
  const [referrer] = referrers.filter(({ refersToColumn, onUpdate }) => refersToColumn && 'ar'.includes(onUpdate));
  if (referrer) {
    return `cannot change, because the foreign key ${referrer.constraint} of ${referrer.schema}.${referrer.table} refers to it: leave it out, or make the key ON UPDATE CASCADE`;
  }
  if (treatment === 'drop') return undefined;
  if (!facts.isText) return `is ${type}, and only text can be made ${treatment}: drop it`;
  const [key] = foreignKeys;
  if (key) {
    return `cannot be made ${treatment}, because its foreign key ${key.constraint} asks for a row of ${key.to}: leave it out and treat ${key.to} instead, drop it, or use delete-row`;
  }
  const length = lengthOf(treatment, facts);
  if (maxLength !== null && maxLength < length) {
    const what =
      uniqueIndexes.length > 0 && treatment === 'blank' ? `is UNIQUE (${uniqueIndexes[0]}) and holds` : 'holds';
    return `${what} ${maxLength} characters at most, and ${treatment} needs ${length}: make it longer, drop it, or use delete-row`;
  }
  return undefined;
}

function whyNotDeleted(
  { referrers }: ColumnFacts,
  { schema, table }: ErasureHook,
  hooks: readonly ErasureHook[],
): string | undefined {
  const refusing = referrers.find(
    (referrer) =>
      'ar'.includes(referrer.onDelete) &&
      !(referrer.schema === schema && referrer.table === table) &&
      !hooks.some(
        (hook) =>
          hook.schema === referrer.schema &&
          hook.table === referrer.table &&
          (hook.treatment === 'delete-row' || (hook.treatment === 'drop' && referrer.columns.includes(hook.column))),
      ),
  );
  if (refusing === undefined) return undefined;
  const from = `${refusing.schema}.${refusing.table}`;
  return `cannot be treated by delete-row, because the foreign key ${refusing.constraint} of ${from} refers to the row: add delete-row for ${from}, drop ${from}.${refusing.columns.join(', ')}, make the key ON DELETE CASCADE or SET NULL, or blank columns of ${schema}.${table} instead`;
}

/** Evaluates the CHECK constraints about the column alone, and of its domain, on what would be written. */
async function whyNotChecked(
  client: ClientBase,
  facts: ColumnFacts,
  { table, column, treatment }: ErasureHook,
): Promise<string | undefined> {
  const sample = sampleOf(treatment, facts);
  for (const { constraint, expression } of [{ constraint: `of ${facts.type}`, expression: 'true' }, ...facts.checks]) {
    const holds = await client
      .query<{ holds: boolean }>(
        `SELECT coalesce((${expression}), true) AS holds
         FROM (SELECT $1::text::${facts.type} AS ${escapeIdentifier(column)}) AS ${escapeIdentifier(table)}`,
        [sample],
      )
      .then(({ rows }) => rows[0]?.holds !== false)
      // An expression that fails otherwise is left to the attempt on the person's own rows.
      .catch((error: unknown) => {
        if (error instanceof DatabaseError) return error.code !== CHECK_VIOLATION;
        throw error;
      });
    if (!holds) {
      return `cannot be made ${treatment}, because its CHECK ${constraint} refuses ${sample ?? 'NULL'}: choose another treatment, or let the CHECK admit it`;
    }
  }
  return undefined;
}
