import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DATABASE_NAMES, type DatabaseName, functionName } from '../../core/contract';
import { exportedLogName, LOG_EXPORTS } from '../../core/database/contract';
import { type Connected, instanceBehind } from '../../core/residency/contract';
import { listResources } from '../../core/stacks/resources';
import { LOGGING_STACKS, type ResultOf, UNSCANNED_LOG } from './contract';

/** What is scanned for card numbers. */
export interface ScannedLogs {
  /** Names of log groups. */
  readonly groups: readonly string[];
  /** Instances that no stack made, by the log groups that they write to where they export their logs. */
  readonly instances: ReadonlyMap<string, string>;
  /** Logs that are in none of them. */
  readonly uncovered: ResultOf<'logs'>['uncovered'];
}

export interface LoggingPlatform {
  /** Such as `production`. */
  readonly environment: string;
  /** Region of the environment. */
  readonly region: string;
  /** How functions connect to each database. */
  readonly databases: Readonly<Record<DatabaseName, Connected>>;
}

/**
 * The log groups that are scanned for card numbers: all of the stacks but the flow log of the network, whose lines have addresses, ports
 * and counts, and no text; and those of instances that existed before.
 *
 * @throws what CloudFormation answers
 */
export async function scannedLogs(
  client: CloudFormationClient,
  { environment, region, databases }: LoggingPlatform,
): Promise<ScannedLogs> {
  const groups: string[] = [];
  const made = new Set<string>();
  for (const stack of LOGGING_STACKS) {
    for (const { type, logicalId, id } of await listResources(client, functionName(environment, stack))) {
      if (type === 'AWS::Logs::LogGroup' && !logicalId.startsWith(UNSCANNED_LOG)) groups.push(id);
      if (type === 'AWS::RDS::DBInstance') made.add(id);
    }
  }
  const instances = new Map<string, string>();
  const uncovered: { what: string; reason: string }[] = [];
  for (const name of DATABASE_NAMES) {
    const instance = instanceBehind(databases[name]);
    if (instance === undefined) {
      uncovered.push({
        what: `log of the server of ${name}`,
        reason: 'neither its host nor the settings name an instance of RDS',
      });
    } else if (made.has(instance.id)) {
      continue;
    } else if (instance.region !== undefined && instance.region !== region) {
      uncovered.push({ what: `log of instance ${instance.id}`, reason: `it is in ${instance.region}` });
    } else {
      for (const log of LOG_EXPORTS) instances.set(exportedLogName(instance.id, log), instance.id);
    }
  }
  return { groups: [...groups, ...instances.keys()], instances, uncovered };
}
