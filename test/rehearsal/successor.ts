import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Client } from 'pg';
import { stringify } from 'yaml';
import { readEnvironment } from '../../lib/config/environment-files';
import { REHEARSAL_TARGET } from '../../lib/config/built-environments';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import { startDatabases, writeAuthorities } from '../../local/postgres/databases';
import type { DatabaseName } from '../../core/contract';
import { createClients, destroyClients, type Clients } from './clients';
import type { Shell } from './commands';
import { Deployment } from './deployment';
import type { Rehearsal } from './rehearsal';
import { running } from './start';

const NAME = 'rehearsal2';
const { account, secondRegion } = REHEARSAL_TARGET;

/** The environment that takes over in the second region, with servers of its own. */
export interface Successor {
  readonly config: EnvironmentConfig;
  readonly clients: Clients;
  readonly deployment: Deployment;
  /** Connects as the functions' role; the caller ends the connection. */
  readonly connect: (server: DatabaseName, database: string) => Promise<Client>;
}

/** The terminal of an operator in the second region. */
export function shellThere({ options }: Pick<Rehearsal, 'options'>): Shell {
  return {
    region: secondRegion,
    environments: path.join(options.directory, 'environments'),
    variables: { OPS_ENV: NAME },
  };
}

/**
 * Starts empty databases in the second region, and writes the settings of the environment that takes over: those of the lost one
 * with another region and without a second one, as docs/region-loss.md says.
 */
export async function prepareSuccessor({ options }: Rehearsal): Promise<Successor> {
  const { directory, endpoint, teardown } = options;
  const clusters = path.join(directory, 'clusters-there');
  mkdirSync(clusters, { mode: 0o711 });
  const databases = await startDatabases(clusters, secondRegion, teardown, () => undefined);
  for (const { cluster } of Object.values(databases)) options.watchdog.watch(cluster.pid);
  writeAuthorities(directory, Object.values(databases));
  const clients = createClients(endpoint, { account, region: secondRegion, secondRegion });
  teardown.add(() => destroyClients(clients));
  const { name, ...settings } = options.config;
  const there = async (database: DatabaseName) => ({
    ...settings.databases[database],
    ...(await running(clients, databases[database])),
  });
  const changed = {
    ...settings,
    region: secondRegion,
    secondRegion: undefined,
    databases: { billing: await there('billing'), main: await there('main') },
  };
  const folder = path.join(directory, 'environments');
  mkdirSync(folder);
  write(folder, name, settings);
  const config = readEnvironment({ name: NAME, file: write(folder, NAME, changed) });
  return {
    config,
    clients,
    deployment: new Deployment(clients, config, endpoint),
    connect: (server, database) => databases[server].connect(database),
  };
}

function write(folder: string, name: string, settings: object): string {
  const file = path.join(folder, `${name}.yaml`);
  // Of JSON, which leaves out what is not set.
  writeFileSync(file, stringify(JSON.parse(JSON.stringify(settings))));
  return file;
}
