import type { Client } from 'pg';
import type { BenchDatabase } from '../support/server';
import type { SentQuery } from '../support/count-queries';
import type { Contender } from './contender';
import type { Delivery } from './workload';

/** A table is large when reading all of it for an event would be felt. */
const LARGE_TABLE_ROWS = 1_000;
const DATA_STATEMENT = /^\s*(with|insert|update|delete|select|merge)\b/i;

/** How PostgreSQL runs a statement. */
export interface PlannedStatement {
  /** First words of its text. */
  readonly statement: string;
  /** How each table is reached, such as `Index Scan subscriptions_pkey`. */
  readonly access: readonly string[];
  /** Large tables that are read from end to end. */
  readonly sequentialScans: readonly string[];
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly Operation?: string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Conflict Arbiter Indexes'?: readonly string[];
  readonly Plans?: readonly PlanNode[];
}

/** Applies a batch, then explains every distinct statement that it sent, with the values that it had. */
export async function explainHotStatements(
  contender: Contender,
  database: BenchDatabase,
  batch: readonly Delivery[],
): Promise<PlannedStatement[]> {
  const sent: SentQuery[] = [];
  const { workers, close } = await contender.open(database, 1);
  try {
    contender.queries.captured = sent;
    await workers[0]?.(batch);
  } finally {
    contender.queries.captured = undefined;
    await close();
  }
  const distinct = [...new Map(sent.map((query) => [query.text, query])).values()];
  const client = await database.connect();
  try {
    const large = await largeTables(client);
    const plans: PlannedStatement[] = [];
    for (const query of distinct.filter(({ text }) => DATA_STATEMENT.test(text))) {
      plans.push(await explain(client, query, large));
    }
    return plans;
  } finally {
    await client.end();
  }
}

async function explain(client: Client, { text, values }: SentQuery, large: Set<string>): Promise<PlannedStatement> {
  const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(`EXPLAIN (FORMAT JSON) ${text}`, [
    ...values,
  ]);
  const nodes = (rows[0]?.['QUERY PLAN'] ?? []).flatMap(({ Plan }) => flatten(Plan));
  const words = text.trim().split(/\s+/);
  return {
    statement: words.slice(0, words[0]?.toLowerCase() === 'select' ? 8 : 4).join(' '),
    access: nodes.flatMap(describe),
    sequentialScans: nodes.flatMap((node) => {
      const table = node['Relation Name'];
      return node['Node Type'] === 'Seq Scan' && table !== undefined && large.has(table) ? [table] : [];
    }),
  };
}

function flatten(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(flatten)];
}

function describe(node: PlanNode): string[] {
  const target = node['Index Name'] ?? node['Relation Name'];
  if (target === undefined) return [];
  const arbiters = node['Conflict Arbiter Indexes'];
  const kind = node.Operation ?? node['Node Type'];
  return [`${kind} ${target}${arbiters === undefined ? '' : ` (conflicts by ${arbiters.join(', ')})`}`];
}

async function largeTables(client: Client): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_stat_user_tables WHERE n_live_tup >= ${LARGE_TABLE_ROWS}`,
  );
  return new Set(rows.map(({ name }) => name));
}

/**
 * Rows that sequential scans have read of large tables since the database was made: what plans cannot show, such as
 * foreign keys and triggers, is in it.
 */
export async function rowsReadBySequentialScans(database: BenchDatabase): Promise<number> {
  const client = await database.connect();
  try {
    const { rows } = await client.query<{ rows: number }>(
      `SELECT coalesce(sum(seq_tup_read), 0)::float8 AS rows
       FROM pg_stat_user_tables WHERE n_live_tup >= ${LARGE_TABLE_ROWS}`,
    );
    return rows[0]?.rows ?? 0;
  } finally {
    await client.end();
  }
}
