import path from 'node:path';
import { ENVIRONMENT_FOLDER } from '../../core/contract';
import { environmentFiles, readEnvironment, readSettings, type EnvironmentFile } from './environment-files';
import type { EnvironmentConfig } from './environment-schema';

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
  refuseLikeNames(config, files);
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
      refuseLikeNames(config, files);
      return [config];
    } catch (error) {
      problems.push((error as Error).message);
      return [];
    }
  });
  if (problems.length > 0) throw new Error([...new Set(problems)].join('\n'));
  return configs;
}
