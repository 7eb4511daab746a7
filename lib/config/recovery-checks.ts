import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import type { Settings } from './environment-settings';
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
  if (recovery.monitoringRoleArn !== undefined && recovery.monitoringRoleArn.split(':')[4] !== config.account) {
    refuse([...at, 'monitoringRoleArn'], `must be a role of account ${config.account}`);
  }
}

function sharesInstance(name: DatabaseName, { databases }: Settings): boolean {
  const identifierOf = (each: DatabaseName) => {
    const settings = databases[each];
    return settings.kind === 'existing' ? settings.instanceIdentifier : undefined;
  };
  const own = identifierOf(name);
  return own !== undefined && DATABASE_NAMES.some((each) => each !== name && identifierOf(each) === own);
}
