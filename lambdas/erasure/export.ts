import { type Client, escapeIdentifier } from 'pg';
import { withConnection } from '../../core/database/connector';
import { assertIdentity } from '../../core/database/identity';
import { knowsUser } from '../../core/erasure/main';
import type { ErasureDependencies } from './core';
import type { ErasureRequest, ExportReport } from './contract';
import { findPerson, PERSONAL_ROWS, personalParameters, personalRows } from './person';

/** Lambda answers with 6 MB at most. */
const PAGE_BYTES = 4_000_000;
const PAGE_ROWS = 200;

interface Part {
  readonly database: 'billing' | 'main';
  readonly table: string;
  readonly read: (offset: number) => Promise<readonly Record<string, unknown>[]>;
}

/**
 * One page of everything that both databases hold of a person: rows of billing with what Stripe sent, and rows of main by the
 * tables that the hooks name.
 *
 * @throws OperationError `subject_not_found`, `database_unavailable` (retryable)
 */
export async function exportPerson(
  { connectors, hooks, clock }: Omit<ErasureDependencies, 'store'>,
  { subject, next = { part: 0, offset: 0 } }: Extract<ErasureRequest, { readonly action: 'export' }>,
): Promise<ExportReport> {
  return withConnection(connectors.billing, async (billing) => {
    await assertIdentity(billing, 'billing');
    return withConnection(connectors.main, async (main) => {
      const person = await findPerson(billing, subject, {
        isInMain: async () => ('user' in subject ? knowsUser(main, hooks, subject.user) : false),
      });
      const parameters = await personalParameters(billing, person);
      const tables = [
        ...Map.groupBy(hooks, (hook) => JSON.stringify([hook.schema, hook.table, hook.userColumn])).keys(),
      ];
      const parts: Part[] = [
        ...PERSONAL_ROWS.map(({ table, where, order }) => ({
          database: 'billing' as const,
          table,
          read: (offset: number) =>
            rowsOf(
              billing,
              `SELECT to_jsonb(row) AS row ${personalRows({ table, where })} ORDER BY ${order}`,
              parameters,
              offset,
            ),
        })),
        ...tables.map((key) => mainPart(main, JSON.parse(key) as [string, string, string], person.users)),
      ];
      return { action: 'export', exportedAt: clock().toISOString(), ...(await readPage(parts, next)) };
    });
  });
}

function mainPart(main: Client, [schema, table, userColumn]: [string, string, string], users: readonly string[]): Part {
  const name = `${escapeIdentifier(schema)}.${escapeIdentifier(table)}`;
  const user = `row.${escapeIdentifier(userColumn)}::text`;
  return {
    database: 'main',
    table: `${schema}.${table}`,
    read: (offset) =>
      rowsOf(
        main,
        `SELECT to_jsonb(row) AS row FROM ${name} AS row WHERE ${user} = ANY ($1) ORDER BY ${user}, row.ctid`,
        [users],
        offset,
      ),
  };
}

async function rowsOf(
  client: Client,
  sql: string,
  parameters: readonly unknown[],
  offset: number,
): Promise<readonly Record<string, unknown>[]> {
  const { rows } = await client.query<{ row: Record<string, unknown> }>(`${sql} LIMIT ${PAGE_ROWS} OFFSET ${offset}`, [
    ...parameters,
  ]);
  return rows.map(({ row }) => row);
}

/** Fills a page: at least one row, then as many as fit. */
async function readPage(
  parts: readonly Part[],
  { part: first, offset: begin }: { readonly part: number; readonly offset: number },
): Promise<Pick<ExportReport, 'rows' | 'next'>> {
  const rows: ExportReport['rows'] = [];
  let bytes = 0;
  for (const [index, { database, table, read }] of parts.entries()) {
    if (index < first) continue;
    let offset = index === first ? begin : 0;
    for (;;) {
      const page = await read(offset);
      for (const row of page) {
        bytes += Buffer.byteLength(JSON.stringify(row));
        if (bytes > PAGE_BYTES && rows.length > 0) return { rows, next: { part: index, offset } };
        rows.push({ database, table, row });
        offset += 1;
      }
      if (page.length < PAGE_ROWS) break;
    }
  }
  return { rows, next: null };
}
