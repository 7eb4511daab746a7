import {
  paginateDescribeStackEvents,
  UpdateTerminationProtectionCommand,
  type StackEvent,
} from '@aws-sdk/client-cloudformation';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { check } from '../../../local/pass/check';
import { stackName } from '../assembly';
import { CdkFailed } from '../cdk';
import type { Clients } from '../clients';
import type { Rehearsal, RehearsalStep } from '../rehearsal';

/** Destroys the stacks, the protected one after its protection was removed, and checks what was kept. */
export const destroy: RehearsalStep = {
  title: 'cdk destroy leaves what holds data',
  async run(rehearsal, tell) {
    const { options, deployment } = rehearsal;
    const { clients, config } = options;
    const find = async (part: string, type: string, word: string) =>
      (await deployment.find(part, type, word)).physicalId;
    const bucket = await find('Data', 'AWS::S3::Bucket', 'ArchivesBucket');
    const secret = await find('Data', 'AWS::SecretsManager::Secret', 'Signing');
    const queue = await find('Operations', 'AWS::SQS::Queue', 'EventQueueEvents');
    const archive = rehearsal.backups.get('billing');
    // A stack that is gone is found by its id only.
    const idOf = async (part: string) => (await deployment.stack(part))?.StackId ?? '';
    const [operationsId, dataId] = [await idOf('Operations'), await idOf('Data')];

    for (const part of ['Monitoring', 'Operations']) await removeStack(rehearsal, part);
    tell(`Monitoring and Operations are gone; kept: ${(await keptOf(clients, operationsId)).join(', ')}`);

    const refusal = await removeStack(rehearsal, 'Data').then(
      () => undefined,
      (error: unknown) => error,
    );
    check(refusal instanceof CdkFailed && /termination ?protection/i.test(refusal.output), 'Data was not protected');
    tell('Data: refused, because termination protection is on');

    const name = stackName(config, 'Data');
    await clients.cloudFormation.send(
      new UpdateTerminationProtectionCommand({ StackName: name, EnableTerminationProtection: false }),
    );
    await removeStack(rehearsal, 'Data');
    rehearsal.keptBucket = bucket;
    tell(`Data, once its protection was removed: gone; kept: ${(await keptOf(clients, dataId)).join(', ')}`);

    if (archive !== undefined) {
      const slot = archive.slot.replaceAll(/[-:]/g, '');
      await clients.s3.send(new HeadObjectCommand({ Bucket: bucket, Key: `archives/billing/${slot}/manifest.json` }));
    }
    const { SecretString: value = '' } = await clients.secrets.send(new GetSecretValueCommand({ SecretId: secret }));
    check(value.includes(options.signingSecret), 'the signing secret has lost its value');
    await clients.sqs.send(new GetQueueAttributesCommand({ QueueUrl: queue, AttributeNames: ['QueueArn'] }));
    tell('the archive, the signing secret with its value and the queue of events are still there');
  },
};

async function removeStack(rehearsal: Rehearsal, part: string): Promise<void> {
  const { cdk, config } = rehearsal.options;
  const assembly = rehearsal.folder('assembly-1');
  await cdk('destroy', stackName(config, part), '--exclusively', '--force', '--app', assembly);
}

/** Types of the resources that a destroyed stack left behind. */
async function keptOf({ cloudFormation }: Clients, stackId: string): Promise<string[]> {
  const kept: StackEvent[] = [];
  for await (const { StackEvents: events = [] } of paginateDescribeStackEvents(
    { client: cloudFormation },
    { StackName: stackId },
  )) {
    kept.push(...events.filter(({ ResourceStatus: status }) => status === 'DELETE_SKIPPED'));
  }
  const counts = new Map<string, number>();
  for (const { ResourceType: type = '' } of kept) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].map(([type, count]) => `${count} × ${type}`);
}
