import type { ClientBase } from 'pg';
import { readMatrix, type MatrixCell, type MatrixRow } from '../../core/access/matrix';
import { ACCESS_POLICIES, PERSON_LIMITS, type LoginLimits } from '../../core/access/policy';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';

const WORDS: Readonly<Record<string, string>> = { SELECT: 'read', INSERT: 'add', UPDATE: 'change', DELETE: 'delete' };

/** The page as it is written, with the tables between its marks made anew. */
export function accessPage(written: string, matrix: string): string {
  return between(between(written, 'policy', accessPolicyTables()), 'matrix', matrix);
}

function between(text: string, mark: string, content: string): string {
  const [start, end] = [`<!-- ${mark} -->`, `<!-- end of ${mark} -->`];
  const [from, to] = [text.indexOf(start) + start.length, text.indexOf(end)];
  if (from < start.length || to < from) throw new Error(`docs/access.md has no marks of the ${mark}`);
  return `${text.slice(0, from)}\n\n${content}\n${text.slice(to)}`;
}

/** Roles whose columns the matrix has. That of the API is made by a migration. */
function rolesOf(name: DatabaseName): string[] {
  const groups = ACCESS_POLICIES[name].groups.map((group) => group.name);
  return name === 'billing' ? [...groups, 'billing_api'] : groups;
}

function cell({ actions, columns }: MatrixCell, all: number): string {
  const words = actions.map((action) => WORDS[action] ?? action.toLowerCase());
  if (columns && columns.length > 0) words.unshift(`read ${columns.length} of ${all} columns`);
  return words.length === 0 ? '–' : words.join(', ');
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/**
 * A cell for each role and object of both databases, as PostgreSQL itself answers.
 *
 * @param connections to a database of each kind that adopted the policy
 */
export async function accessMatrix(connections: Readonly<Record<DatabaseName, ClientBase>>): Promise<string> {
  const parts = [];
  for (const name of DATABASE_NAMES) {
    const roles = rolesOf(name);
    const client = connections[name];
    const rows = await readMatrix(client, ACCESS_POLICIES[name], [...roles, 'public']);
    const counts = await columnCounts(client);
    parts.push(
      `### ${name}`,
      '',
      row(['object', ...roles.map((role) => `\`${role}\``), 'everyone']),
      row(['object', ...roles, 'everyone'].map(() => '---')),
      ...rows.map((one) =>
        row([title(one, name), ...one.cells.map((each) => cell(each, counts.get(one.object) ?? 0))]),
      ),
      '',
    );
  }
  return parts.join('\n');
}

function title({ object, kind }: MatrixRow, name: DatabaseName): string {
  if (kind === 'database') return `database \`${name}\``;
  // Without the arguments of a routine.
  const [named = ''] = object.split('(');
  return kind === 'table' ? `\`${named}\`` : `${kind} \`${named}\``;
}

async function columnCounts(client: ClientBase): Promise<Map<string, number>> {
  const { rows } = await client.query<{ object: string; count: number }>(
    `SELECT format('%s.%s', table_schema, table_name) AS object, count(*)::int AS count
     FROM information_schema.columns GROUP BY 1`,
  );
  return new Map(rows.map(({ object, count }) => [object, count]));
}

const duration = (ms: number): string => {
  if (ms === 0) return 'none';
  return ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`;
};

function limitsRow(name: string, limits: LoginLimits): string {
  return row([
    name,
    String(limits.connections),
    duration(limits.statementTimeoutMs),
    duration(limits.lockTimeoutMs),
    duration(limits.idleInTransactionTimeoutMs),
    duration(limits.idleSessionTimeoutMs),
    limits.readOnly ? 'yes' : 'no',
  ]);
}

/** Tables of groups, withheld columns and limits, from the policy. */
export function accessPolicyTables(): string {
  const groups = DATABASE_NAMES.flatMap((name) => ACCESS_POLICIES[name].groups);
  // By table: both databases have those of operations.
  const withheld = new Map(DATABASE_NAMES.flatMap((name) => Object.entries(ACCESS_POLICIES[name].withheld)));
  const logins = DATABASE_NAMES.flatMap((name) => Object.values(ACCESS_POLICIES[name].logins));
  return [
    row(['group', 'for']),
    row(['---', '---']),
    ...groups.map(({ name, purpose }) => row([`\`${name}\``, purpose])),
    '',
    '### Withheld columns',
    '',
    row(['table', 'columns']),
    row(['---', '---']),
    ...[...withheld].map(([table, columns]) => row([`\`${table}\``, columns.map((one) => `\`${one}\``).join(', ')])),
    '',
    '### Limits of a login',
    '',
    row(['login', 'connections', 'statement', 'wait for a lock', 'idle in a transaction', 'idle', 'reads only']),
    row(Array.from({ length: 7 }, () => '---')),
    ...logins.map(({ name, limits }) => limitsRow(`\`${name}\``, limits)),
    ...Object.entries(PERSON_LIMITS).map(([access, limits]) => limitsRow(`a person, \`${access}\``, limits)),
    '',
  ].join('\n');
}
