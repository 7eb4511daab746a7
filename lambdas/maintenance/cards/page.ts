import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';
import { ERASED_ROW } from '../../../core/erasure/card-rows';
import type { ScannedTable } from './columns';
import { detectCards } from './detect';

/** Characters of one value that are looked at; the task says so of a longer one. */
const MAX_CHARACTERS = 1024 * 1024;
/** Rows in memory at a time: at worst, as many values of the above. */
const FETCHED_ROWS = 20;
/** What a number of a card may look like, for PostgreSQL to send no other row. */
const SHAPE = '[0-9](([ \u00a0+-]|%20|%2[BbDd])?[0-9]){12}';

interface Limits {
  readonly statementMs: number;
  readonly lockMs: number;
}

/** A card that was found, without any of its digits. */
export interface CardFinding {
  readonly table: string;
  readonly column: string;
  /** Primary key; of a table without one, or whose key may hold a card, where the row was: `ctid (0,1)`. */
  readonly row: string;
  /** Page of the table that the row is in. */
  readonly block: number;
  readonly brand: string;
  readonly withCode: boolean;
  /** See `DetectedCard`. */
  readonly bare: boolean;
  /** Cards of that kind in the value, of which the finding is the first. */
  readonly cards: number;
}

/** What a part of a table held. */
export interface ScannedPage {
  /** At most one of each kind in a value. */
  readonly findings: readonly CardFinding[];
  /** Bare numbers without a valid check digit, by column. */
  readonly failedChecks: ReadonlyMap<string, number>;
  /** Columns with values of which the end was not looked at. */
  readonly cut: readonly string[];
}

/**
 * Scans the rows in some pages of a table, in a transaction that can only read.
 *
 * @param limits of each statement, in milliseconds
 * @throws what PostgreSQL throws, such as when a statement took longer
 */
export function scanPage(
  client: ClientBase,
  table: ScannedTable,
  [from, to]: readonly [number, number],
  limits: Limits,
): Promise<ScannedPage> {
  return scanRows(client, table, `ctid >= '(${from},0)' AND ctid < '(${to},0)'`, limits);
}

/**
 * Scans one row, wherever it is by now.
 *
 * @param row of a finding
 * @returns `undefined` where the finding does not name the row by its primary key
 * @throws what PostgreSQL throws
 */
export async function scanRow(
  client: ClientBase,
  table: ScannedTable,
  row: string,
  limits: Limits,
): Promise<ScannedPage | undefined> {
  const values = table.key.length === 1 ? [row] : row.split(',');
  if (row.startsWith('ctid ') || row === ERASED_ROW || values.length !== table.key.length) return undefined;
  const where = table.key.map((column, at) => `${escapeIdentifier(column)} = ${escapeLiteral(values[at] ?? '')}`);
  return scanRows(client, table, where.join(' AND '), limits);
}

async function scanRows(client: ClientBase, table: ScannedTable, where: string, limits: Limits): Promise<ScannedPage> {
  const findings: CardFinding[] = [];
  const failedChecks = new Map<string, number>();
  const cut = new Set<string>();
  const texts = table.columns.map((column) => `${escapeIdentifier(column)}::text`);
  const key = table.key.map((column) => `${escapeIdentifier(column)}::text`);
  await client.query(
    `BEGIN READ ONLY; SET LOCAL statement_timeout = ${limits.statementMs}; SET LOCAL lock_timeout = ${limits.lockMs};
     SET LOCAL row_security = off`,
  );
  try {
    await client.query(
      `DECLARE scanned NO SCROLL CURSOR FOR
       SELECT ctid::text AS at, ARRAY[${key.join(', ')}]::text[] AS key,
         ARRAY[${texts.map((text) => `CASE WHEN ${text} ~ '${SHAPE}' THEN left(${text}, ${MAX_CHARACTERS + 1}) END`).join(', ')}] AS values
       FROM ONLY ${table.name}
       WHERE ${where} AND (${texts.map((text) => `${text} ~ '${SHAPE}'`).join(' OR ')})`,
    );
    for (;;) {
      const { rows } = await client.query<Row>(`FETCH ${FETCHED_ROWS} FROM scanned`);
      for (const row of rows) {
        for (const [index, column] of table.columns.entries()) {
          const value = row.values[index] ?? null;
          if (value === null) continue;
          if (value.length > MAX_CHARACTERS) cut.add(column);
          const { cards, failedChecks: failed } = detectCards(value, column);
          for (const isBare of [false, true]) {
            const [card, ...others] = cards.filter(({ bare }) => bare === isBare);
            if (card === undefined) continue;
            const place = { table: table.name, column, row: rowKey(row), block: blockOf(row) };
            const withCode = card.withCode || others.some((other) => other.withCode);
            findings.push({ ...place, ...card, withCode, cards: others.length + 1 });
          }
          if (failed > 0) failedChecks.set(column, (failedChecks.get(column) ?? 0) + failed);
        }
      }
      if (rows.length < FETCHED_ROWS) break;
    }
    return { findings, failedChecks, cut: [...cut] };
  } finally {
    await client.query('ROLLBACK');
  }
}

interface Row {
  readonly at: string;
  readonly key: readonly string[];
  readonly values: readonly (string | null)[];
}

const blockOf = ({ at }: Row): number => Number(at.slice(1, at.indexOf(',')));

/** Thirteen digits with at most one other character between each: a key may be the card, or hold it beside other characters. */
const MAY_BE_CARD = /\d(?:\D?\d){12}/;

function rowKey({ at, key }: Row): string {
  const text = key.join(',');
  return text === '' || MAY_BE_CARD.test(text) ? `ctid ${at}` : text;
}
