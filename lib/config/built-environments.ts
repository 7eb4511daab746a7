import { LOCAL_ENVIRONMENT, type DatabaseName } from '../../core/contract';
import {
  defineEnvironment,
  type EnvironmentConfig,
  type EnvironmentInput,
  type ExistingDatabaseConfig,
} from './environment-schema';

const REGION = 'eu-central-1';
const SECOND_REGION = 'eu-west-1';
const EUROPEAN_UNION = ['eu-central-1', SECOND_REGION, 'eu-north-1'];
const RUNBOOK_URL = 'https://github.com/example/billing-operations/blob/main/docs/runbook.md';

/** A database that runs already. */
export type RunningDatabase = Pick<ExistingDatabaseConfig, 'host' | 'port' | 'databaseName' | 'secretArn'>;

/** What an environment needs to know that makes no databases of its own. */
export interface RunningDatabasesOptions {
  /** Address and secret of each database. */
  readonly databases: Readonly<Record<DatabaseName, RunningDatabase>>;
  /** Base URL of the Stripe API, or of what stands in for it. */
  readonly stripeApiBase: string;
}

export interface LocalEnvironmentOptions extends RunningDatabasesOptions {
  /** @default - as in every environment: enabled, at 2 o'clock, looking back 7 days */
  readonly reconciliation?: EnvironmentInput['reconciliation'];
  /** Takes the webhooks of Tilled. @default false */
  readonly tilled?: true;
  /** Server that billing may be moved to. @default - none, and no function that moves it */
  readonly move?: ExistingDatabaseConfig['move'];
}

/** GiB that databases on one machine are measured against: the size of a small instance. */
const LOCAL_STORAGE_GIB = 20;

function existingDatabases(
  { databases }: RunningDatabasesOptions,
  logins: ExistingDatabaseConfig['logins'],
): EnvironmentInput['databases'] {
  const existing = (database: RunningDatabase) =>
    ({ kind: 'existing', allocatedStorageGiB: LOCAL_STORAGE_GIB, ...database }) as const;
  // As at a company: its tables are those of an application.
  return {
    billing: { ...existing(databases.billing), logins },
    main: { ...existing(databases.main), managed: 'elsewhere' },
  };
}

/**
 * The environment of this machine: databases that run already, no network. It is synthesised to be wired up locally,
 * never to be deployed.
 */
export function localEnvironment(options: LocalEnvironmentOptions): EnvironmentConfig {
  const { billing, ...others } = existingDatabases(options, 'least');
  return defineEnvironment({
    name: LOCAL_ENVIRONMENT,
    account: '000000000000',
    region: REGION,
    allowedRegions: [REGION],
    removalProtection: false,
    logLevel: 'INFO',
    databases: { billing: { ...billing, move: options.move }, ...others },
    stripe: { apiBase: options.stripeApiBase, livemode: false },
    runbookUrl: RUNBOOK_URL,
    reconciliation: options.reconciliation,
    tilled: options.tilled,
  });
}

/** Where the rehearsal is deployed to: what exists before it, such as the databases' secrets, exists there. */
export const REHEARSAL_TARGET = { account: '444444444444', region: REGION, secondRegion: SECOND_REGION } as const;

/**
 * The environment that `npm run test:deploy` deploys into an emulator of AWS. Protected like production and copied to a
 * second region like it; off is what emulators reject: the firewall, computed alarms and the canary. Naming databases that exist
 * already, it has no network, instances, proxies, vaults and recovery workflows either.
 */
export function rehearsalEnvironment(options: RunningDatabasesOptions): EnvironmentConfig {
  return defineEnvironment({
    name: 'rehearsal',
    ...REHEARSAL_TARGET,
    allowedRegions: EUROPEAN_UNION,
    removalProtection: true,
    logLevel: 'INFO',
    databases: existingDatabases(options, 'owner'),
    stripe: { apiBase: options.stripeApiBase, livemode: false },
    runbookUrl: RUNBOOK_URL,
    firewall: false,
    computedAlarms: false,
    gradualDeployments: false,
    savedQueries: false,
    // The emulator's API has another address than the template says.
    canary: false,
  });
}
