import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import type { Settings } from './environment-settings';
import { STREAMING_LIMIT_GIB } from './policies';
import type { Refuse } from './refuse';

/** Longest identifier of RDS, without what the workflow adds: `-recovered-` and eight characters. */
const LONGEST_IDENTIFIER = 63 - '-recovered-00000000'.length;

/** Reports why the instance of an existing database cannot be recovered as it is configured. */
export function refuseRecovery(name: DatabaseName, config: Settings, refuse: Refuse): void {
  const settings = config.databases[name];
  if (settings.kind !== 'existing' || !settings.recovery) return;
  const { recovery, instanceIdentifier } = settings;
  const at = ['databases', name, 'recovery'];
  if (instanceIdentifier === undefined) {
    refuse(['databases', name, 'instanceIdentifier'], 'must name the instance that `recovery` recovers');
  } else if (instanceIdentifier.length > LONGEST_IDENTIFIER) {
    refuse(
      ['databases', name, 'instanceIdentifier'],
      `must have at most ${LONGEST_IDENTIFIER} characters with \`recovery\`, which adds to it`,
    );
  }
  if (sharesInstance(name, config)) {
    refuse(
      at,
      'must be left out where one instance holds both databases: its recovery would replace the other as well',
    );
  }
  if (!recovery.securityGroupIds && settings.securityGroupId === undefined) {
    refuse([...at, 'securityGroupIds'], 'must name the security groups of the instance, without `securityGroupId`');
  }
  for (const [index, arn] of recovery.keyArns.entries()) {
    const [, , , region, account] = arn.split(':');
    if (region !== config.region || account !== config.account) {
      refuse([...at, 'keyArns', String(index)], `must be a key of account ${config.account} in ${config.region}`);
    }
  }
  // RDS refuses a ceiling closer than 10 % above what the instance has: when it is recovered, and not before.
  if (recovery.maximumStorageGiB !== undefined && recovery.maximumStorageGiB < settings.allocatedStorageGiB * 1.1) {
    refuse([...at, 'maximumStorageGiB'], 'must be at least 10 % above allocatedStorageGiB');
  }
  if (recovery.monitoringRoleArn !== undefined && recovery.monitoringRoleArn.split(':')[4] !== config.account) {
    refuse([...at, 'monitoringRoleArn'], `must be a role of account ${config.account}`);
  }
}

/**
 * What is said at synthesis of databases that no workflow can archive in parts although they are to be: those whose disk can
 * hold more than one call archives, and whose instance the workflow does not know.
 */
export function largeArchiveNotes({
  databases,
  largeArchives,
}: Pick<Settings, 'databases' | 'largeArchives'>): string[] {
  if (largeArchives.method !== 'map') return [];
  return DATABASE_NAMES.flatMap((name) => {
    const settings = databases[name];
    if (settings.kind === 'create' || settings.recovery || settings.allocatedStorageGiB <= STREAMING_LIMIT_GIB)
      return [];
    const onRds = settings.instanceIdentifier !== undefined;
    const instead = onRds ? 'RDS exports it as Parquet, from which nothing is restored' : 'it is not archived';
    const remedy = onRds ? `set databases.${name}.recovery` : 'only an instance of RDS is archived in parts';
    return `Once ${name} has more than ${STREAMING_LIMIT_GIB} GiB, ${instead}: ${remedy} (docs/deploy.md#archive-an-existing-instance-in-parts)`;
  });
}

function sharesInstance(name: DatabaseName, { databases }: Settings): boolean {
  const identifierOf = (each: DatabaseName) => {
    const settings = databases[each];
    return settings.kind === 'existing' ? settings.instanceIdentifier : undefined;
  };
  const own = identifierOf(name);
  return own !== undefined && DATABASE_NAMES.some((each) => each !== name && identifierOf(each) === own);
}
