import type { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { functionName } from '../../core/contract';
import { listResources } from '../../core/stacks/resources';
import { LOGGING_STACKS, UNSCANNED_LOG } from './contract';

/**
 * Names of the log groups that are scanned for card numbers: all of the stacks but the flow log of the network, whose lines have
 * addresses, ports and counts, and no text.
 *
 * @throws what CloudFormation answers
 */
export async function scannedLogs(client: CloudFormationClient, environment: string): Promise<string[]> {
  const names: string[] = [];
  for (const stack of LOGGING_STACKS) {
    for (const { type, logicalId, id } of await listResources(client, functionName(environment, stack))) {
      if (type === 'AWS::Logs::LogGroup' && !logicalId.startsWith(UNSCANNED_LOG)) names.push(id);
    }
  }
  return names;
}
