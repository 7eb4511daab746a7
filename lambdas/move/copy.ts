import { escapeIdentifier, type Client } from 'pg';
import { describeServer, listTables } from '../../core/archive/catalog';
import { LOGIN_USERS } from '../../core/access/contract';
import { setPassword } from '../../core/access/apply';
import { withConnection } from '../../core/database/connector';
import { createDatabase, dropDatabase, MAINTENANCE_DATABASE } from '../../core/restore/new-database';
import { OperationError } from '../../core/runtime/errors';
import { restoreDatabaseOwner, restoreDatabaseSettings } from '../../core/schema/apply/database';
import { Deviations } from '../../core/schema/apply/deviations';
import { assertRestorable } from '../../core/schema/apply/preflight';
import { applyAfter, applyBefore } from '../../core/schema/apply/restore-schema';
import { restoreRoles } from '../../core/schema/apply/roles';
import { readCurrent } from '../../core/schema/capture';
import { isMadeBy, markAsMade, refuseWrites } from './barrier';
import { differencesOfSchema } from './compare';
import type { ChangeReport } from './contract';
import { holdTables } from './locks';
import { checksOf } from './plan';
import { isOpen, outOfOrder, recordDifferences, recordStart } from './record';
import { FORWARD, grantReading, isSubscribed, ensureReplicator, publish, REPLICATOR } from './replication';
import { connected, type Connected, withServers, type MoveDependencies, type Servers, type Side } from './servers';
import { Steps } from './steps';
import { subscribe } from './subscribe';
import { missingIdentities } from './tables';

/**
 * Makes the new database, with roles and schema of the old one, and subscribes it: PostgreSQL copies the rows by itself and
 * then keeps up. A step that was killed is repeated: what is there already stays.
 *
 * @throws OperationError `move_out_of_order`; `move_not_ready` naming the checks that failed, before anything is changed
 */
export async function copy(dependencies: MoveDependencies): Promise<ChangeReport> {
  return withServers(dependencies, async (servers) => {
    const { move } = servers;
    if (isOpen(move) && move.stage !== 'copying') throw outOfOrder('copy', move, 'ops move plan says it');
    const failed = (await checksOf(servers, dependencies)).filter(({ ok }) => !ok);
    if (failed.length > 0) {
      const reasons = failed.map(({ check, detail }) => `${check}: ${detail}`).join('; ');
      throw new OperationError('move_not_ready', `${reasons}. Nothing was changed`);
    }
    const source = connected(servers.source);
    const steps = new Steps(dependencies.log, 'copy');
    const id = isOpen(move) ? move.id : await begin(source, servers, steps);
    if (servers.target.client === undefined || !(await isSubscribed(connected(servers.target), FORWARD))) {
      await makeTarget(dependencies, { id, source, target: servers.target }, steps);
      await withConnection(servers.target.connector, (client) => begun(source, { ...servers.target, client }, steps));
    } else {
      steps.add('The new server is subscribed already; PostgreSQL continues by itself');
    }
    await bringLoginsUp(dependencies, servers.target, steps);
    return report(servers, { steps: steps.all(), stage: 'copying', next: 'ops move catch-up' });
  });
}

/**
 * Records the move, and gives every table what identifies its rows: from now on, repeating the step continues it.
 *
 * @throws OperationError `database_busy` naming the transactions that hold a table without a primary key; nothing is changed then
 */
async function begin(source: Connected, servers: Servers, steps: Steps): Promise<string> {
  const { client } = source;
  const identities = await missingIdentities(client);
  const tables = identities.map(({ qualified }) => qualified);
  const held = { tables, mode: 'ACCESS EXCLUSIVE', unchanged: 'Nothing was changed' } as const;
  const id = await holdTables(client, held, async () => {
    for (const { set } of identities) await client.query(set);
    return recordStart(client, {
      source: servers.source.name,
      target: servers.target.name,
      identities: identities.map(({ reset }) => reset),
    });
  });
  steps.add('Migrations, roles and privileges are frozen');
  if (identities.length > 0) {
    steps.add(`Replica identity set for ${identities.map(({ table }) => table).join(', ')}, until the end of the move`);
  }
  return id;
}

/** Roles that get their right to log in from a move, or from a rotation; those of an application are for its operators to enable. */
const OURS: ReadonlySet<string> = new Set(
  [REPLICATOR, ...Object.values(LOGIN_USERS.billing).flatMap((user) => [user, `${user}_clone`])].map(
    (role) => `ROLE ${role}`,
  ),
);

/**
 * Makes the new database from nothing. One that a killed attempt left is dropped, and one that is empty; no other.
 *
 * @throws OperationError `target_exists` where the database has tables that this move did not make
 */
async function makeTarget(
  { pgDumpWorker: workerFile }: MoveDependencies,
  { id, source, target }: { readonly id: string; readonly source: Connected; readonly target: Side },
  steps: Steps,
): Promise<void> {
  if (target.client) await assertDroppable(target.client, target.name, id);
  await ensureReplicator(source);
  await grantReading(source);
  const schema = await readCurrent({ connector: source.connector, workerFile });
  const server = await describeServer(source.client);
  const { database: name } = target.connector.target;
  const deviations = new Deviations();
  await target.client?.end();
  await withConnection(
    target.connector,
    async (client) => {
      await assertRestorable(client, schema.facts);
      await restoreRoles(client, schema.facts, deviations);
    },
    MAINTENANCE_DATABASE,
  );
  await dropDatabase(target.connector, name);
  await createDatabase(target.connector, name, server);
  await withConnection(
    target.connector,
    (client) => restoreDatabaseSettings(client, name, schema.facts.database, deviations),
    MAINTENANCE_DATABASE,
  );
  await withConnection(target.connector, async (client: Client) => {
    await markAsMade(client, name, id);
    await applyBefore(client, schema, deviations);
    await applyAfter(client, schema, deviations);
  });
  await withConnection(
    target.connector,
    (client) => restoreDatabaseOwner(client, name, schema.facts.database, deviations),
    MAINTENANCE_DATABASE,
  );
  steps.add(`${target.name} made, with ${schema.facts.roles.length} roles and the schema of the old server`);
  for (const { object, consequence, reason } of deviations.all()) {
    if (!OURS.has(object)) steps.add(`${object}: ${consequence} (${reason})`);
  }
  const differences = await differencesOfSchema(source.connector, target.connector, { workerFile });
  await recordDifferences(
    source.client,
    differences.map(({ digest }) => digest),
  );
  for (const { text } of differences) steps.add(`Reads otherwise, look at it: ${text}`);
}

async function assertDroppable(client: Client, name: string, id: string): Promise<void> {
  const tables = (await listTables(client)).filter(({ extension }) => !extension);
  if (tables.length === 0 || (await isMadeBy(client, id))) return;
  throw new OperationError(
    'target_exists',
    `${name} has ${tables.length} tables that this move did not make, and a move never overwrites: give the move up (ops move roll-back), and name another server. Nothing there was changed`,
  );
}

async function begun(source: Connected, target: Connected, steps: Steps): Promise<void> {
  // A function that read the secrets before an earlier move was rolled back would write here.
  await refuseWrites(target, `copied from ${source.name}`);
  await publish(source, FORWARD);
  await subscribe(source, target, FORWARD, true);
  steps.add('The new server is subscribed; PostgreSQL copies the rows and then keeps up. It takes no other writes');
}

/** Lets functions log in to the new server with the passwords of their secrets. */
export async function bringLoginsUp(
  { secrets, loginSecrets }: Pick<MoveDependencies, 'secrets' | 'loginSecrets'>,
  { connector }: Pick<Side, 'connector'>,
  steps: Steps,
): Promise<void> {
  const arns = Object.values(loginSecrets);
  if (arns.length === 0) return;
  await withConnection(connector, async (client) => {
    for (const arn of arns) {
      const { username, password } = await secrets.read(arn);
      await client.query(`ALTER ROLE ${escapeIdentifier(username)} LOGIN`);
      await setPassword(client, username, password);
    }
  });
  steps.add(`${arns.length} logins of functions got the passwords of their secrets on the new server`);
}

/** The answer of a step that was done. */
export function report(
  { source, target }: Pick<Servers, 'source' | 'target'>,
  done: Pick<ChangeReport, 'steps' | 'stage' | 'next'> & Partial<ChangeReport>,
): ChangeReport {
  return {
    source: source.name,
    target: target.name,
    dryRun: false,
    confirmWith: '',
    pauseMs: null,
    ...done,
  };
}
