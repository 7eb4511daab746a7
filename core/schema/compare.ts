import { createHash } from 'node:crypto';
import type { CapturedSchema, SchemaDifference, SchemaFacts } from './contract';
import { normalisedStatements } from './normalise';
import { type ReadSchema, readSchema } from './read-schema';
import { describeEntry } from './text/describe-entry';

/** Lines of an object above which its difference is shown as all of the old and all of the new lines. */
const MOST_COMPARED_LINES = 2_000;

/**
 * What differs between two schemas, object by object, in the order of the first one; empty when a restore of one is the
 * other. Order, roles of the server and what no round trip keeps are not compared.
 *
 * @throws OperationError `schema_malformed` as {@link readSchema} does
 */
export function compareSchemas(first: CapturedSchema, second: CapturedSchema): SchemaDifference[] {
  return compareReadSchemas(readSchema(first), readSchema(second));
}

/** {@link compareSchemas}, of schemas that are taken apart. */
export function compareReadSchemas(first: ReadSchema, second: ReadSchema): SchemaDifference[] {
  const [before, after] = [objectsOf(first), objectsOf(second)];
  const changed = [...before].flatMap(([object, sql]): SchemaDifference[] => {
    const [old, present] = [sql(), after.get(object)?.()];
    if (present === undefined) return [{ kind: 'removed', object, lines: marked('-', old) }];
    return old === present ? [] : [{ kind: 'changed', object, lines: differingLines(linesOf(old), linesOf(present)) }];
  });
  const added = [...after]
    .filter(([object]) => !before.has(object))
    .map(([object, sql]): SchemaDifference => ({ kind: 'added', object, lines: marked('+', sql()) }));
  return [...changed, ...added];
}

/**
 * What two schemas have in common that {@link compareReadSchemas} finds no difference between: for who compares a schema with
 * one that need not stay in memory until then.
 */
export function schemaDigest(schema: ReadSchema): string {
  const hash = createHash('sha256');
  const objects = objectsOf(schema);
  for (const object of [...objects.keys()].toSorted()) {
    const sql = objects.get(object)?.() ?? '';
    hash.update(`${object.length} ${sql.length} ${object}${sql}`);
  }
  return hash.digest('hex');
}

function marked(sign: '-' | '+', sql: string): string[] {
  return linesOf(sql).map((line) => `${sign}${line}`);
}

function linesOf(sql: string): string[] {
  return sql === '' ? [] : sql.split('\n');
}

/** Differences as a person reads them. */
export function formatDifferences(differences: readonly SchemaDifference[]): string {
  return differences
    .map(({ kind, object, lines }) => [`${kind}: ${object}`, ...lines.map((line) => `  ${line}`)].join('\n'))
    .join('\n\n');
}

/** SQL by what it is about. Of thousands of objects, only that of two at a time is put together. */
function objectsOf({ before, after, facts }: ReadSchema): Map<string, () => string> {
  const objects = new Map<string, () => string>(factsAsObjects(facts).map(([object, sql]) => [object, () => sql]));
  for (const entry of [...before.entries, ...after.entries]) {
    // Every database has a schema public: pg_dump names it for its owner alone, which is an entry of its own here.
    if (entry.statements.length === 0) continue;
    const name = describeEntry(entry);
    // Names that differ only in their line breaks have one header.
    let key = name;
    for (let number = 2; objects.has(key); number += 1) key = `${name} (${number})`;
    objects.set(key, () => normalisedStatements(entry).join('\n'));
  }
  return objects;
}

function factsAsObjects({ database, extensions }: SchemaFacts): [string, string][] {
  const grants = (database.grants ?? []).map(
    ({ grantee, privilege, grantable }) =>
      `${privilege} to ${grantee ?? 'PUBLIC'}${grantable ? ' WITH GRANT OPTION' : ''}`,
  );
  return [
    ...extensions.map(({ name, version }): [string, string] => [`EXTENSION VERSION ${name}`, version]),
    ['DATABASE SETTINGS', database.settings.toSorted().join('\n')],
    ...database.roleSettings.map(({ role, settings }): [string, string] => [
      `DATABASE SETTINGS of ${role}`,
      settings.toSorted().join('\n'),
    ]),
    ['DATABASE COMMENT', database.comment ?? ''],
    ['DATABASE OWNER', database.owner],
    ['DATABASE ACL', grants.join('\n')],
  ];
}

/** The lines that only one side has, by their longest common subsequence. */
function differingLines(one: readonly string[], other: readonly string[]): string[] {
  if (one.length + other.length > MOST_COMPARED_LINES) {
    return [...one.map((line) => `-${line}`), ...other.map((line) => `+${line}`)];
  }
  const common = one.map(() => new Uint16Array(other.length + 1));
  common.push(new Uint16Array(other.length + 1));
  const at = (row: number, column: number): number => common[row]?.[column] ?? 0;
  for (let row = one.length - 1; row >= 0; row -= 1) {
    for (let column = other.length - 1; column >= 0; column -= 1) {
      const line = common[row];
      if (!line) continue;
      line[column] =
        one[row] === other[column] ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const lines: string[] = [];
  let [row, column] = [0, 0];
  while (row < one.length || column < other.length) {
    if (row < one.length && column < other.length && one[row] === other[column]) {
      row += 1;
      column += 1;
    } else if (column >= other.length || (row < one.length && at(row + 1, column) >= at(row, column + 1))) {
      lines.push(`-${one[row]}`);
      row += 1;
    } else {
      lines.push(`+${other[column]}`);
      column += 1;
    }
  }
  return lines;
}
