import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { CreateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { REHEARSAL_TARGET, rehearsalEnvironment, type RunningDatabase } from '../../lib/config/built-environments';
import { bundleFunctions } from '../../lib/operations/bundles';
import { say } from '../../local/runtime/console';
import { startDatabases, writeAuthorities, type LocalDatabaseServer } from '../../local/postgres/databases';
import { signal } from '../../local/runtime/processes';
import { startStripeStandIn } from '../../local/stripe/stand-in';
import type { Teardown } from '../../local/runtime/teardown';
import { cdkOn } from './cdk';
import { commandsOn } from './commands';
import { createClients, destroyClients, type Clients } from './clients';
import { startMinistack } from './ministack';
import { makeNodeRuntime } from './node-runtime';
import { Rehearsal } from './rehearsal';
import type { Watchdog } from './watchdog';

export interface StartOptions {
  readonly directory: string;
  /** Python that has the emulator. */
  readonly python: string;
  readonly watchdog: Watchdog;
  readonly teardown: Teardown;
}

/** Starts what exists before anything is deployed: the databases with their secrets, Stripe, and AWS. */
export async function startRehearsal({ directory, python, watchdog, teardown }: StartOptions): Promise<Rehearsal> {
  const { account, region } = REHEARSAL_TARGET;
  const clusters = path.join(directory, 'clusters');
  mkdirSync(clusters, { mode: 0o711 });
  const databases = await startDatabases(clusters, region, teardown, say);
  for (const { cluster } of Object.values(databases)) watchdog.watch(cluster.pid);
  const apiKey = 'rk_test_rehearsal';
  const stripe = await startStripeStandIn({ apiKey });
  teardown.add(() => stripe.stop());

  const nodeFolder = makeNodeRuntime(directory, writeAuthorities(directory, Object.values(databases)));
  const ministack = await startMinistack({ python, directory, account, region, nodeFolder });
  watchdog.watch(ministack.pid);
  teardown.add(() => ministack.stop());
  const { endpoint, logFile } = ministack;
  const clients = createClients(endpoint, REHEARSAL_TARGET);
  teardown.add(() => destroyClients(clients));
  const [billing, main] = [await databases.billing.connect(), await databases.main.connect()];
  teardown.add(async () => void (await Promise.allSettled([billing.end(), main.end()])));

  let command: number | undefined;
  const started = (pid: number): void => {
    command = pid;
    watchdog.watch(pid);
  };
  teardown.add(() => {
    if (command !== undefined) signal(-command, 'SIGKILL');
  });
  const config = rehearsalEnvironment({
    databases: {
      billing: await running(clients, databases.billing),
      main: await running(clients, databases.main),
    },
    stripeApiBase: stripe.url,
  });
  return new Rehearsal({
    directory,
    teardown,
    watchdog,
    config,
    bundles: bundleFunctions({ outdir: path.join(directory, 'bundles') }),
    databases,
    billing,
    main,
    stripe,
    clients,
    endpoint,
    emulatorLog: logFile,
    cdk: cdkOn({ directory, endpoint, account, region, started }),
    commands: commandsOn({ directory, python, endpoint, account, started }),
    signingSecret: `whsec_${randomBytes(24).toString('hex')}`,
    apiKey,
  });
}

/** A database as a company has it before: it runs, and a secret of the account opens it. */
export async function running({ secrets }: Clients, server: LocalDatabaseServer): Promise<RunningDatabase> {
  const { name, cluster, credentials } = server;
  const { ARN: secretArn = '' } = await secrets.send(
    new CreateSecretCommand({ Name: `company/${name}-database`, SecretString: JSON.stringify(credentials) }),
  );
  return { host: cluster.host, port: cluster.port, databaseName: name, secretArn };
}
