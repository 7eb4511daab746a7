import { type ClientBase, DatabaseError, escapeIdentifier, escapeLiteral } from 'pg';
import { qualified } from '../../core/archive/copy-session';
import { InvalidRequestError } from '../../core/runtime/errors';
import type { RowCondition } from './contract';
import { type LiveTable, nameOf } from './tables';

/** SQLSTATE classes of a value that does not fit its column: data exception, and syntax (no such operator). */

const VALUE_ERROR_CLASSES = ['22', '42'];
/**
 * The conditions on one table as SQL, `true` when there are none. COPY takes no parameters, so values are written as
 * literals, escaped and cast to the column's type.
 *
 * @throws InvalidRequestError naming the column, or the value that an operator lacks
 */
export function whereOf(table: LiveTable, conditions: readonly RowCondition[]): string {
  const own = conditions.filter((condition) => condition.table === undefined || condition.table === nameOf(table));
  return own.length === 0 ? 'true' : own.map((condition) => expression(table, condition)).join(' AND ');
}

function expression(table: LiveTable, { column: name, operator, value }: RowCondition): string {
  const column = table.columns.find((candidate) => candidate.name === name);
  if (column === undefined) throw new InvalidRequestError(`where: ${nameOf(table)} has no column ${name}`);
  const left = escapeIdentifier(name);
  const literal = (one: unknown) => `${escapeLiteral(String(one))}::${column.type}`;
  if (operator === 'is-null' || operator === 'is-not-null') {
    if (value !== undefined) throw new InvalidRequestError(`where: ${name} ${operator} takes no value`);
    return `${left} IS ${operator === 'is-null' ? '' : 'NOT '}NULL`;
  }
  if (operator === 'in') {
    if (!Array.isArray(value) || value.length === 0) throw new InvalidRequestError(`where: ${name} in takes a list`);
    return `${left} IN (${value.map(literal).join(', ')})`;
  }
  if (value === undefined || Array.isArray(value)) {
    throw new InvalidRequestError(`where: ${name} ${operator} takes one value`);
  }
  // A pattern is text, whatever the type of the column.
  const right = operator === 'like' ? `${escapeLiteral(String(value))}::text` : literal(value);
  return `${operator === 'like' ? `${left}::text` : left} ${operator.toUpperCase()} ${right}`;
}

/**
 * Has PostgreSQL parse the conditions against the live table, so that a value that does not fit its column is refused
 * before an archive is loaded.
 *
 * @throws InvalidRequestError with PostgreSQL's reason
 */
export async function assertConditions(
  client: ClientBase,
  tables: readonly LiveTable[],
  conditions: readonly RowCondition[],
): Promise<void> {
  const names = tables.map(nameOf);
  const stray = conditions.find(({ table }) => table !== undefined && !names.includes(table));
  if (stray) throw new InvalidRequestError(`where: ${stray.table} is not among the requested tables`);
  for (const table of tables) {
    const where = whereOf(table, conditions);
    await client.query(`SELECT FROM ONLY ${qualified(table)} WHERE ${where} LIMIT 0`).catch((cause: unknown) => {
      if (!(cause instanceof DatabaseError) || !VALUE_ERROR_CLASSES.includes((cause.code ?? '').slice(0, 2)))
        throw cause;
      throw new InvalidRequestError(`where: PostgreSQL refuses it for ${nameOf(table)}: ${cause.message}`, cause);
    });
  }
}
