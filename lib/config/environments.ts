import type { DatabaseName } from '../../core/contract';
import {
  defineEnvironment,
  type EnvironmentConfig,
  type EnvironmentInput,
  type ExistingDatabaseConfig,
} from './environment-schema';

const REGION = 'eu-central-1';
const SECOND_REGION = 'eu-west-1';
const EUROPEAN_UNION = ['eu-central-1', SECOND_REGION, 'eu-north-1'];
/** Put in the page of your own copy: every alarm links to it. */
const RUNBOOK_URL = 'https://github.com/example/billing-operations/blob/main/docs/runbook.md';
const ZONES = ['eu-central-1a', 'eu-central-1b', 'eu-central-1c'];

/**
 * The environments that are deployed. The account numbers are placeholders: put in your own, and your region with
 * its zones. `docs` for each field are in `environment-schema.ts`.
 */
const DEPLOYED: Readonly<Record<'dev' | 'staging' | 'production', EnvironmentInput>> = {
  dev: {
    name: 'dev',
    account: '111111111111',
    region: REGION,
    allowedRegions: EUROPEAN_UNION,
    availabilityZones: ZONES,
    removalProtection: false,
    logLevel: 'DEBUG',
    databases: {
      billing: {
        kind: 'create',
        instanceClass: 't4g.medium',
        allocatedStorageGiB: 20,
        maximumStorageGiB: 50,
        multiAz: false,
        proxy: true,
      },
      main: {
        kind: 'create',
        instanceClass: 't4g.medium',
        allocatedStorageGiB: 20,
        maximumStorageGiB: 50,
        multiAz: false,
      },
    },
    stripe: { livemode: false },
    runbookUrl: RUNBOOK_URL,
  },
  staging: {
    name: 'staging',
    account: '222222222222',
    region: REGION,
    allowedRegions: EUROPEAN_UNION,
    availabilityZones: ZONES,
    removalProtection: true,
    logLevel: 'INFO',
    databases: {
      billing: {
        kind: 'create',
        instanceClass: 'm7g.large',
        allocatedStorageGiB: 50,
        maximumStorageGiB: 200,
        multiAz: true,
        proxy: true,
        analyticsReplica: true,
      },
      main: {
        kind: 'create',
        instanceClass: 't4g.medium',
        allocatedStorageGiB: 50,
        maximumStorageGiB: 200,
        multiAz: false,
      },
    },
    stripe: { livemode: false },
    runbookUrl: RUNBOOK_URL,
    cache: { kind: 'serverless' },
  },
  production: {
    name: 'production',
    account: '333333333333',
    region: REGION,
    secondRegion: SECOND_REGION,
    allowedRegions: EUROPEAN_UNION,
    availabilityZones: ZONES,
    removalProtection: true,
    logLevel: 'INFO',
    databases: {
      billing: {
        kind: 'create',
        instanceClass: 'm7g.xlarge',
        allocatedStorageGiB: 200,
        maximumStorageGiB: 1000,
        multiAz: true,
        proxy: true,
        analyticsReplica: true,
      },
      main: {
        kind: 'create',
        instanceClass: 'm7g.large',
        allocatedStorageGiB: 100,
        maximumStorageGiB: 500,
        multiAz: false,
      },
    },
    stripe: { livemode: true },
    runbookUrl: RUNBOOK_URL,
    cache: { kind: 'serverless' },
  },
};

export type DeployedEnvironmentName = keyof typeof DEPLOYED;

/** Names that `-c env=` takes. */
export const DEPLOYED_ENVIRONMENTS = Object.keys(DEPLOYED) as readonly DeployedEnvironmentName[];

/**
 * The checked configuration of an environment that is deployed.
 *
 * @throws Error when there is no such environment, or a field of it is wrong
 */
export function deployedEnvironment(name: string): EnvironmentConfig {
  const known = DEPLOYED_ENVIRONMENTS.find((candidate) => candidate === name);
  if (!known) throw new Error(`environment \`${name}\` does not exist: expected ${DEPLOYED_ENVIRONMENTS.join(', ')}`);
  const input = DEPLOYED[known];
  if (input.name !== known) {
    throw new Error(`environment \`${known}\`: name must be ${known}, its key, got ${JSON.stringify(input.name)}`);
  }
  return defineEnvironment(input);
}

/** What `-c env=` takes for all environments at once, which is for checks and never for a deployment. */
export const ALL_ENVIRONMENTS = 'all';
/** Twelve times the same digit: what {@link DEPLOYED} has until an adopter puts in the account. */
const PLACEHOLDER_ACCOUNT = /^(\d)\1{11}$/;

/**
 * The environments that `-c env=` asks for.
 *
 * @param selected the value of `-c env=`; `undefined` when it was left out
 * @param credentialsAccount account of the credentials at hand, as the CDK's command line finds them; `undefined` without
 *   any, as when a template is synthesised offline
 * @throws Error when no environment is named, none has the name, or the account is not the one that would be deployed to
 */
export function selectEnvironments(
  selected: string | undefined,
  credentialsAccount: string | undefined,
): EnvironmentConfig[] {
  const choices = DEPLOYED_ENVIRONMENTS.map((name) => `-c env=${name}`).join(', ');
  if (selected === undefined) {
    throw new Error(
      `No environment is named: add one of ${choices}; -c env=${ALL_ENVIRONMENTS} only checks all of them`,
    );
  }
  if (selected === ALL_ENVIRONMENTS) return DEPLOYED_ENVIRONMENTS.map(deployedEnvironment);
  const config = deployedEnvironment(selected);
  if (credentialsAccount === undefined || credentialsAccount === config.account) return [config];
  const { name, account } = config;
  throw new Error(
    PLACEHOLDER_ACCOUNT.test(account)
      ? `environment \`${name}\`: account ${account} is a placeholder: put your account into lib/config/environments.ts`
      : `environment \`${name}\` is account ${account}, and the credentials are of account ${credentialsAccount}: use those of ${account}`,
  );
}

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
}

/** GiB that databases on one machine are measured against: the size of a small instance. */
const LOCAL_STORAGE_GIB = 20;

function existingDatabases({ databases }: RunningDatabasesOptions): EnvironmentInput['databases'] {
  const existing = (database: RunningDatabase) =>
    ({ kind: 'existing', allocatedStorageGiB: LOCAL_STORAGE_GIB, ...database }) as const;
  return { billing: existing(databases.billing), main: existing(databases.main) };
}

/**
 * The environment of this machine: databases that run already, no network. It is synthesised to be wired up locally,
 * never to be deployed.
 */
export function localEnvironment(options: LocalEnvironmentOptions): EnvironmentConfig {
  return defineEnvironment({
    name: 'local',
    account: '000000000000',
    region: REGION,
    allowedRegions: [REGION],
    removalProtection: false,
    logLevel: 'INFO',
    databases: existingDatabases(options),
    stripe: { apiBase: options.stripeApiBase, livemode: false },
    runbookUrl: RUNBOOK_URL,
    reconciliation: options.reconciliation,
  });
}

/** Where the rehearsal is deployed to: what exists before it, such as the databases' secrets, exists there. */
export const REHEARSAL_TARGET = { account: '444444444444', region: REGION, secondRegion: SECOND_REGION } as const;

/**
 * The environment that `npm run test:deploy` deploys into an emulator of AWS. Protected like production and copied to a
 * second region like it; off is what emulators reject: the firewall and computed alarms. Naming databases that exist
 * already, it has no network, instances, proxies, vaults and recovery workflows either.
 */
export function rehearsalEnvironment(options: RunningDatabasesOptions): EnvironmentConfig {
  return defineEnvironment({
    name: 'rehearsal',
    ...REHEARSAL_TARGET,
    allowedRegions: EUROPEAN_UNION,
    removalProtection: true,
    logLevel: 'INFO',
    databases: existingDatabases(options),
    stripe: { apiBase: options.stripeApiBase, livemode: false },
    runbookUrl: RUNBOOK_URL,
    firewall: false,
    computedAlarms: false,
  });
}
