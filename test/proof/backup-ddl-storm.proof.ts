import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { OperationError } from '../../core/runtime/errors';
import { createConnector } from '../../core/database/connector';
import { type ArchiveSite, contentOf, createArchiveSite } from '../factories/archive';
import { clusterSecrets, clusterTarget } from '../support/database';

const BACKUPS = 8;
const TABLES = 6;
/** The longest that a query of the application may wait: the patience of the backup, and the time to give up. */
const LONGEST_WAIT_MS = 4_000;
/** What each upload takes longer, so that every moment of a backup is met by some change. */
const UPLOAD_MS = 60;

let site: ArchiveSite;
let clients: Client[];

beforeEach(async () => {
  const tables = Array.from({ length: TABLES }, (_, n) => `CREATE TABLE operations.storm_${n} (id int PRIMARY KEY)`);
  site = await createArchiveSite('main', tables.join(';'));
  const connector = createConnector(clusterTarget(site.source.name, 'main'), clusterSecrets(), 'test');
  clients = await Promise.all(['migrations', 'application'].map(() => connector.connect()));
  site.store.s3.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === 'PutObjectCommand') await sleep(UPLOAD_MS);
        return next(args);
      },
    { step: 'initialize' },
  );
});

afterEach(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await site.remove();
});

const slotOf = (hour: number) => `2026-11-21T${String(hour).padStart(2, '0')}:00:00Z`;

/** Changes tables one after the other, in transactions of some length, without any timeout of its own. */
async function changeTables(client: Client, stop: AbortSignal, onChange: () => void): Promise<number> {
  let changes = 0;
  for (; !stop.aborted; changes += 1, onChange()) {
    const table = `operations.storm_${(changes * 5) % TABLES}`;
    await client.query(
      `BEGIN; ALTER TABLE ${table} ADD extra int DEFAULT ${changes}; ALTER TABLE ${table} DROP extra; COMMIT`,
    );
    await sleep(37 + ((changes * 911) % 1_900));
  }
  return changes;
}

/** Asks one table after the other, as an application does. */
async function query(client: Client, stop: AbortSignal): Promise<number> {
  let longestMs = 0;
  for (let n = 0; !stop.aborted; n += 1) {
    const startedMs = performance.now();
    await client.query(`INSERT INTO operations.storm_${n % TABLES} VALUES (${n})`);
    longestMs = Math.max(longestMs, performance.now() - startedMs);
    await sleep(5);
  }
  return longestMs;
}

test('backups under a storm of changes to their tables are whole or given up, and never hold the application up', async () => {
  const stop = new AbortController();
  const [migrations, application] = clients;
  if (!migrations || !application) throw new Error('A connection is missing');
  let seen = 0;
  const changing = changeTables(migrations, stop.signal, () => (seen += 1));
  const querying = query(application, stop.signal);
  const outcomes: string[] = [];
  // A fast machine backs up more often, so that the storm is one.
  for (let hour = 0; hour < BACKUPS || (seen <= BACKUPS && hour < 24); hour += 1) {
    outcomes.push(
      await site.backup(slotOf(hour)).then(
        ({ outcome }) => outcome,
        (error: unknown) => (error instanceof OperationError ? error.code : String(error)),
      ),
    );
  }
  stop.abort();
  const [changes, longestMs] = await Promise.all([changing, querying]);
  console.info(
    `${changes} changes, ${outcomes.length} backups (${outcomes.join(', ')}); longest wait of a query: ${Math.round(longestMs)} ms`,
  );
  expect(outcomes.filter((outcome) => outcome !== 'created' && outcome !== 'schema_changing')).toEqual([]);
  expect(longestMs).toBeLessThan(LONGEST_WAIT_MS);
  // A storm that hardly changed anything would prove nothing.
  expect(changes).toBeGreaterThan(BACKUPS);

  const made = [...outcomes.keys()].filter((index) => outcomes[index] === 'created');
  for (const index of made.slice(-3)) await expectOneMoment(slotOf(index));
  await site.backup('2026-11-22T00:00:00Z');
  const { targetDatabase } = await site.restore();
  expect(await contentOf(targetDatabase)).toEqual(await contentOf(site.source.name));
});

/** The application wrote one row after the other, each into the next table: an archive of one moment has all up to its newest. */
async function expectOneMoment(slot: string): Promise<void> {
  const { targetDatabase, deviations } = await site.restore(slot);
  const content = await contentOf(targetDatabase);
  // Rows as `(17)`.
  const rows = Array.from({ length: TABLES }, (_, n) => content[`operations.storm_${n}`] ?? []).flat();
  const ids = rows.map((row) => Number(row.slice(1, -1))).toSorted((a, b) => a - b);
  expect([ids, deviations]).toEqual([ids.map((_, n) => n), []]);
}
