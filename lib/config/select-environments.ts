import path from 'node:path';
import { DATABASE_NAMES, ENVIRONMENT_FOLDER } from '../../core/contract';
import { environmentFiles, readEnvironment, readSettings, type EnvironmentFile } from './environment-files';
import { valueAt, type EnvironmentConfig } from './environment-schema';

/** What `-c env=` takes for all environments at once, which is for checks and never for a deployment. */
export const ALL_ENVIRONMENTS = 'all';
/** Twelve times the same digit: what the examples have until an adopter puts in the account. */
const PLACEHOLDER_ACCOUNT = /^(\d)\1{11}$/;
/** Where an adopter's environments are. */
const FOLDER = path.resolve(__dirname, '../..', ENVIRONMENT_FOLDER);

/** What the CDK's command line was asked for. */
export interface Selection {
  /** Value of `-c env=`. @default - it was left out, which is refused */
  readonly selected?: string;
  /** Value of `-c environments=`: another folder of files. @default - `environments/` */
  readonly folder?: string;
  /**
   * Account of the credentials at hand, as the CDK's command line finds them.
   * @default - there are none, as when a template is synthesised offline
   */
  readonly credentialsAccount?: string;
}

/**
 * The environments that `-c env=` asks for.
 *
 * @throws Error when no environment is named, none has the name, its file is wrong, or the account is not the one that would
 *   be deployed to
 */
export function selectEnvironments({ selected, folder, credentialsAccount }: Selection): EnvironmentConfig[] {
  const files = environmentFiles(folder === undefined ? FOLDER : path.resolve(folder));
  if (files.length === 0) {
    throw new Error(
      `${folder ?? ENVIRONMENT_FOLDER}/ describes no environment: copy one of examples/*.yaml there, and put in your account`,
    );
  }
  const choices = files.map(({ name }) => `-c env=${name}`).join(', ');
  if (selected === undefined) {
    throw new Error(
      `No environment is named: add one of ${choices}; -c env=${ALL_ENVIRONMENTS} only checks all of them`,
    );
  }
  if (selected === ALL_ENVIRONMENTS) return checkAll(files);
  const wanted = files.find(({ name }) => name === selected);
  if (!wanted) throw new Error(`environment \`${selected}\` does not exist: expected one of ${choices}`);
  const config = readEnvironment(wanted);
  refuseAccount(config, wanted, credentialsAccount);
  refuseConflicts(config, files);
  return [config];
}

function refuseAccount({ account }: EnvironmentConfig, { file }: EnvironmentFile, credentialsAccount?: string): void {
  if (credentialsAccount === undefined || credentialsAccount === account) return;
  throw new Error(
    PLACEHOLDER_ACCOUNT.test(account)
      ? `${file}: account ${account} is a placeholder: put in yours`
      : `${file}: account is ${account}, and the credentials are of account ${credentialsAccount}: use those of ${account}`,
  );
}

/** Refuses what only one environment may have and another, in a file beside it, has as well: copied files forget it. */
function refuseConflicts(config: EnvironmentConfig, files: readonly EnvironmentFile[]): void {
  refuseLikeNames(config, files);
  for (const { name: other, file } of files.filter(({ name }) => name !== config.name)) {
    for (const [what, value] of sharedBy(config, file)) {
      throw new Error(
        `environments \`${config.name}\` and \`${other}\` both have the ${what} ${value}: one of them would write over the other; give one of them its own`,
      );
    }
  }
}

/** Domains and databases that an environment and the settings of a file have both. The file need not be right in itself. */
function sharedBy(config: EnvironmentConfig, file: string): (readonly [string, string])[] {
  const { region, domain } = config;
  const other = settingsOrNone(file);
  // API Gateway has a domain once in each region. That of another region is moved by DNS, as where a region is lost.
  const isShared = valueAt(other, ['region']) === region && valueAt(other, ['domain', 'name']) === domain?.name;
  const known = addressesIn(other);
  return [
    ...(domain && isShared ? [['domain', domain.name] as const] : []),
    ...[...addressesIn(config)].flatMap(([key, address]) => (known.has(key) ? [['database', address] as const] : [])),
  ];
}

/** AWS gives such a host once. Any other, such as `db.internal`, may be another server in another network. */
const HOST_OF_AWS = /\.amazonaws\.com(\.cn)?$/i;

/** Databases that settings name, by what tells each from every other one. */
function addressesIn(settings: unknown): Map<string, string> {
  return new Map(
    DATABASE_NAMES.flatMap((database) => {
      const [host, port, name] = ['host', 'port', 'databaseName'].map((field) =>
        valueAt(settings, ['databases', database, field]),
      );
      if (typeof host !== 'string') return [];
      const address = `${String(name)} of ${host.toLowerCase()}:${String(port)}`;
      return [[HOST_OF_AWS.test(host) ? address : `${address} in ${networkOf(settings)}`, address] as const];
    }),
  );
}

/** Where names of hosts and private addresses mean the same. */
function networkOf(settings: unknown): string {
  const vpcId = valueAt(settings, ['existingNetwork', 'vpcId']);
  const network = vpcId ?? valueAt(settings, ['account']);
  return `${String(network)} in ${String(valueAt(settings, ['region']))}`;
}

/** A file that cannot be read stops its own environment, and no other. */
function settingsOrNone(file: string): unknown {
  try {
    return readSettings(file);
  } catch {
    return {};
  }
}

/**
 * Refuses two names of which one begins with the other in one account and region: lists by prefix, such as that of alarms,
 * would take the one environment for the other.
 */
function refuseLikeNames({ name, account, region }: EnvironmentConfig, files: readonly EnvironmentFile[]): void {
  const alike = files.filter((other) => name.startsWith(`${other.name}-`) || other.name.startsWith(`${name}-`));
  for (const { name: other, file } of alike) {
    const settings = readSettings(file);
    if (settings.account !== account || settings.region !== region) continue;
    throw new Error(
      `environments \`${name}\` and \`${other}\` are both in account ${account}, ${region}, and one name begins with the other: ` +
        'alarms of the one would be listed as those of the other; rename one, as to `eu-production`, or separate them',
    );
  }
}

/** Reads every file, so that the error names the problems of all of them. */
function checkAll(files: readonly EnvironmentFile[]): EnvironmentConfig[] {
  const problems: string[] = [];
  const configs = files.flatMap((file) => {
    try {
      const config = readEnvironment(file);
      refuseConflicts(config, files);
      return [config];
    } catch (error) {
      problems.push((error as Error).message);
      return [];
    }
  });
  if (problems.length > 0) throw new Error([...new Set(problems)].join('\n'));
  return configs;
}
