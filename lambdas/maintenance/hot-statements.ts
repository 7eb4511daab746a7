import type { ClientBase } from 'pg';
import * as billing from '../../core/billing/statements';
import type { DatabaseName } from '../../core/contract';
import type { Statement } from '../../core/database/transaction';
import * as entitlements from '../../core/entitlements/statements';
import type { ResultOf } from './contract';

/** Every statement that runs for an event or for a question about entitlements, by its name. */
export const HOT_STATEMENTS: readonly Statement[] = [
  ...Object.values(billing.UPSERTS),
  ...[...Object.values(billing), ...Object.values(entitlements)].filter(isStatement),
];

/** A few rows that an operator writes; every statement that computes entitlements reads them all. */
const MEANT_TO_BE_READ = new Set(['billing.entitlement_rules']);

/** Rows from which PostgreSQL's own choice counts: below, it is right to read the whole table. */
const LARGE_ROWS = 10_000;

interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly Schema?: string;
  readonly Plans?: readonly PlanNode[];
}

/**
 * Explains each named statement, without running it or knowing its parameters: once as if reading whole tables were out of the
 * question, which shows where no index serves it, and once as PostgreSQL would run it, which counts for large tables.
 */
export async function explainHotStatements(
  client: ClientBase,
  database: DatabaseName,
): Promise<Pick<ResultOf<'indexes'>, 'explained' | 'fullReads'>> {
  if (database !== 'billing') return { explained: 0, fullReads: [] };
  const large = await largeTables(client);
  const fullReads: ResultOf<'indexes'>['fullReads'] = [];
  for (const { name, text } of HOT_STATEMENTS) {
    const unserved = await tablesReadWhole(client, text, 'off');
    const unwise = (await tablesReadWhole(client, text, 'on')).filter((table) => large.has(table));
    const tables = [...new Set([...unserved, ...unwise])].filter((table) => !MEANT_TO_BE_READ.has(table)).toSorted();
    if (tables.length > 0) fullReads.push({ statement: name, tables });
  }
  return { explained: HOT_STATEMENTS.length, fullReads };
}

function isStatement(value: unknown): value is Statement {
  return typeof value === 'object' && value !== null && 'name' in value && 'text' in value;
}

async function tablesReadWhole(client: ClientBase, text: string, seqScan: 'on' | 'off'): Promise<string[]> {
  await client.query(`SET enable_seqscan = ${seqScan}`);
  try {
    // By the simple protocol: the extended one would ask for the parameters, of which a generic plan needs none.
    const { rows } = await client.query<{ 'QUERY PLAN': readonly { readonly Plan: PlanNode }[] }>(
      `EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT JSON) ${text}`,
    );
    const [plan] = rows[0]?.['QUERY PLAN'] ?? [];
    return plan ? nodesOf(plan.Plan).flatMap(readWhole) : [];
  } finally {
    await client.query('RESET enable_seqscan');
  }
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

function readWhole({ 'Node Type': type, 'Relation Name': relation, Schema: schema }: PlanNode): string[] {
  return type === 'Seq Scan' && relation !== undefined ? [`${schema}.${relation}`] : [];
}

async function largeTables(client: ClientBase): Promise<Set<string>> {
  const { rows } = await client.query<{ table: string }>(
    `SELECT n.nspname || '.' || c.relname AS table FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.reltuples >= $1`,
    [LARGE_ROWS],
  );
  return new Set(rows.map(({ table }) => table));
}
