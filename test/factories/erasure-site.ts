import type { Client } from 'pg';
import { applyEvents } from '../../core/billing/apply-events';
import type { ErasureHook } from '../../core/erasure/contract';
import { openErasureLedger } from '../../core/erasure/ledger';
import type { ErasureReplay } from '../../core/erasure/replay';
import { stripeProvider } from '../../core/providers/stripe/provider';
import type { Log } from '../../core/runtime/telemetry';
import type { EraseReport } from '../../lambdas/erasure/contract';
import { type ErasureDependencies, erasePerson } from '../../lambdas/erasure/core';
import { delivered } from '../support/billing';
import { type ArchiveSite, createArchiveSite } from './archive';
import { type PlantedPerson, plantedPerson } from './planted-person';

/** A hook of the application's table of users. */
export const hook = (column: string, treatment: ErasureHook['treatment']): ErasureHook => ({
  schema: 'people',
  table: 'users',
  userColumn: 'id',
  column,
  treatment,
});
/** What is erased from the application's tables. */
export const HOOKS: readonly ErasureHook[] = [
  hook('email', 'blank'),
  hook('name', 'drop'),
  { schema: 'people', table: 'sessions', userColumn: 'user_id', column: 'user_id', treatment: 'delete-row' },
  { schema: 'people', table: 'orders', userColumn: 'user_id', column: 'user_id', treatment: 'pseudonymise' },
];
const APPLICATION = `
  CREATE SCHEMA people;
  CREATE TABLE people.users (id text PRIMARY KEY, email text NOT NULL UNIQUE, name text);
  CREATE TABLE people.sessions (id int PRIMARY KEY, user_id text NOT NULL REFERENCES people.users, agent text);
  CREATE TABLE people.invoices (id int PRIMARY KEY, user_id text NOT NULL REFERENCES people.users);
  CREATE TABLE people.orders (id int PRIMARY KEY, user_id text NOT NULL, amount int);`;

/** Puts a person where events alone do not: into entitlements, assignments, findings, records, and the application's tables. */
async function plant({ userId, marker }: PlantedPerson, live: Client, application: Client): Promise<void> {
  await live.query(
    `WITH source AS (SELECT id FROM billing.purchases WHERE user_id = $1), entitled AS (
       INSERT INTO billing.entitlements SELECT $1, 'project_1', 'course', 'purchase', id, now(), NULL FROM source)
     INSERT INTO billing.entitlement_versions VALUES ($1, 'project_1', 3, now())`,
    [userId],
  );
  await live.query(
    `INSERT INTO billing.owner_assignments (object_id, user_id, reason) SELECT id, user_id, $2 FROM billing.purchases WHERE user_id = $1`,
    [userId, `${marker} wrote`],
  );
  await live.query(
    `WITH run AS (INSERT INTO billing.reconciliation_runs (status, dry_run, window_start, started_at)
      VALUES ('running', false, now(), now()) RETURNING id)
    INSERT INTO billing.reconciliation_findings (run_id, kind, object_type, object_id, field, local_value, stripe_value, corrected)
    SELECT run.id, 'field_differs', 'purchase', purchase.id, 'user_id', $1, $1, false FROM run, billing.purchases AS purchase
    WHERE purchase.user_id = $1`,
    [userId],
  );
  for (const [client, chosen] of [
    [live, { choose: 'deleted', where: [{ column: 'email', value: `${marker}@example.com` }] }],
    [live, ['billing.charges:ch_other', `billing.entitlement_versions:${userId},project_1`]],
    [live, ['billing.charges:ch_other']],
    [application, [`people.users:${userId}`]],
  ] as const) {
    await client.query(
      `INSERT INTO operations.row_recovery_merges (report_id, chosen, inserted, updated, skipped) VALUES ('x', $1, 0, 0, 0)`,
      [JSON.stringify(chosen)],
    );
  }
  for (const client of [live, application]) {
    await client.query(
      `INSERT INTO operations.maintenance_runs (task, started_at, outcome, result) VALUES ('cards', now(), 'interrupted',
         jsonb_build_object('found', 1, 'findings', jsonb_build_array(jsonb_build_object('row', $1::text))))`,
      [userId],
    );
  }
  await application.query(`INSERT INTO people.users VALUES ($1, $2, $2)`, [userId, `${marker}@example.com`]);
  await application.query(`INSERT INTO people.sessions SELECT count(*), $1, $2 FROM people.sessions`, [userId, marker]);
  await application.query(`INSERT INTO people.orders SELECT count(*), $1, 5 FROM people.orders`, [userId]);
}

/** Both databases, in which two people are wherever anybody may be, and what erases the first of them. */
export interface ErasureSite {
  readonly billing: ArchiveSite;
  readonly main: ArchiveSite;
  readonly live: Client;
  /** The person to erase; the other's name is `other`. */
  readonly one: PlantedPerson;
  /** Lines of {@link log}. */
  readonly logged: string[];
  readonly log: Log;
  ledger(): ReturnType<typeof openErasureLedger>;
  dependencies(overrides?: Partial<ErasureDependencies>): ErasureDependencies;
  erase(overrides?: Partial<ErasureDependencies>): Promise<EraseReport>;
  /** The ledger and the hooks, for a restore, and what is live, for a replay. */
  replayed(): ErasureReplay &
    Pick<ErasureDependencies, 'ledger'> & { readonly live: Pick<ErasureDependencies, 'connectors' | 'store'> };
  remove(): Promise<unknown>;
}

/** Creates the databases, a bucket and the people. */
export async function createErasureSite(): Promise<ErasureSite> {
  const logged: string[] = [];
  const log: Log = Object.fromEntries(
    ['info', 'warn', 'error'].map((level) => [level, (...line: unknown[]) => void logged.push(JSON.stringify(line))]),
  ) as unknown as Log;
  const [billing, main] = await Promise.all([createArchiveSite('billing'), createArchiveSite('main', APPLICATION)]);
  const live = await billing.source.client();
  const one = plantedPerson('one');
  const other = plantedPerson('other');
  await applyEvents(live, stripeProvider, delivered([...one.events, ...one.guest, ...other.events]));
  const application = await main.source.client();
  for (const person of [one, other]) await plant(person, live, application);
  const secrets = {
    read: async (_: string, schema: { parse: (value: unknown) => unknown }) => schema.parse({ key: 'k'.repeat(64) }),
  };
  const ledger = () => openErasureLedger(billing.store, secrets as never, { ERASURE_KEY_SECRET_ARN: 'erasures' });
  const dependencies = (overrides: Partial<ErasureDependencies> = {}): ErasureDependencies => ({
    connectors: { billing: billing.source.connector, main: main.source.connector },
    store: billing.store,
    ledger: ledger(),
    hooks: HOOKS,
    clock: () => new Date(),
    ...overrides,
  });
  const { customerId: customer } = one;
  const erase = (overrides: Partial<ErasureDependencies> = {}) =>
    erasePerson(dependencies(overrides), { action: 'erase', subject: { customer }, typed: { confirm: customer } });
  const replayed = () => ({ ledger: ledger(), hooks: HOOKS, live: dependencies() });
  const remove = () => Promise.all([billing.remove(), main.remove()]);
  return { billing, main, live, one, logged, log, ledger, dependencies, erase, replayed, remove };
}
