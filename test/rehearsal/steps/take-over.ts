import { readFileSync } from 'node:fs';
import path from 'node:path';
import { paginateDescribeAlarms } from '@aws-sdk/client-cloudwatch';
import { GetFunctionConfigurationCommand } from '@aws-sdk/client-lambda';
import { table } from '../../../local/runtime/console';
import { check } from '../../../local/pass/check';
import { deliver } from '../../../local/stripe/delivery';
import { eventObject, subscriptionObject } from '../../../local/stripe/objects';
import { assemble, stackName } from '../assembly';
import { STACKS } from '../not-rehearsed';
import type { Rehearsal, RehearsalStep } from '../rehearsal';
import type { Successor } from '../successor';
import { lockObjects } from './scheduled-backup';

/** What a recovery stands on, by type. */
const SHOWN: Readonly<Record<string, string>> = {
  'AWS::Lambda::Function': 'functions',
  'AWS::SecretsManager::Secret': 'secrets',
  'AWS::S3::Bucket': 'buckets',
  'AWS::SQS::Queue': 'queues',
  'AWS::KMS::Key': 'keys',
  'AWS::CloudWatch::Alarm': 'alarms',
};

/** The environment that takes over, as every other one is deployed. */
export const deploySuccessor: RehearsalStep = {
  title: 'cdk deploy: the environment that takes over, in the second region',
  async run(rehearsal, tell) {
    const successor = successorOf(rehearsal);
    const { config, deployment } = successor;
    const outdir = rehearsal.folder('assembly-there');
    assemble({ config, bundles: rehearsal.options.bundles, outdir });
    await rehearsal.options.cdk('deploy', '--all', '--app', outdir, '--require-approval', 'never');
    const parts = STACKS.filter((part) => part !== 'Recovery');
    const stacks = await Promise.all(parts.map(async (part) => ({ part, stack: await deployment.stack(part) })));
    const resources = (await Promise.all(parts.map((part) => deployment.resources(part)))).flat();
    const rows = stacks.map(({ part, stack }) => [
      part,
      stack?.StackStatus ?? 'missing',
      stack?.StackId?.split(':')[3] ?? '',
      String(resources.filter(({ stack: of }) => of === part).length),
    ]);
    for (const line of table(['stack', 'status', 'region', 'resources'], rows)) tell(line);
    check(
      rows.every(([, status, region]) => status === 'CREATE_COMPLETE' && region === config.region),
      'a stack is not complete, or elsewhere',
    );
    const counts = Object.entries(SHOWN).map(
      ([type, shown]) => `${resources.filter((each) => each.type === type).length} ${shown}`,
    );
    tell(counts.join(', '));
    const functions = resources.filter(({ type }) => type === 'AWS::Lambda::Function');
    await checkFunctions(
      rehearsal,
      successor,
      functions.map(({ physicalId }) => physicalId),
    );
    await checkAlarms(successor, resources.filter(({ type }) => type === 'AWS::CloudWatch::Alarm').length);
    tell('each function and each alarm answers there; no function is told of the first region');
    await lockObjects(
      successor.clients,
      (await deployment.find('Data', 'AWS::S3::Bucket', 'ArchivesBucket')).physicalId,
    );
    await deployment.refresh();
    const event = eventObject('customer.subscription.created', subscriptionObject());
    const { status } = await deliver(event, {
      url: deployment.webhookUrl(),
      secret: rehearsal.options.signingSecret,
    });
    check(status === 500, `the endpoint answered ${status} before it has a signing secret, expected 500`);
    tell('the webhook function runs, and answers 500 until it has a signing secret');
  },
};

/** @throws CheckFailed where the step that prepares it failed */
export function successorOf({ successor }: Rehearsal): Successor {
  check(successor !== undefined, 'the environment that takes over was not prepared');
  return successor;
}

async function checkFunctions(
  rehearsal: Rehearsal,
  { clients, config }: Successor,
  names: readonly string[],
): Promise<void> {
  const { config: first } = rehearsal.options;
  const template = path.join(rehearsal.folder('assembly-1'), `${stackName(first, 'Operations')}.template.json`);
  const expected = readFileSync(template, 'utf8').split('"AWS::Lambda::Function"').length - 1;
  check(names.length === expected, `${names.length} functions, the first region had ${expected}`);
  await Promise.all(
    names.map(async (name) => {
      const found = await clients.lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
      check(found.FunctionArn?.split(':')[3] === config.region, `${name} is ${found.FunctionArn}`);
      const told = Object.entries(found.Environment?.Variables ?? {}).filter(([, value]) =>
        value.includes(first.region),
      );
      check(told.length === 0, `${name} is told of the first region: ${told.map(([variable]) => variable).join(', ')}`);
    }),
  );
}

async function checkAlarms({ clients, config }: Successor, expected: number): Promise<void> {
  const names: string[] = [];
  const pages = paginateDescribeAlarms(
    { client: clients.cloudWatch },
    { AlarmNamePrefix: `BillingOps-${config.name}-` },
  );
  for await (const { MetricAlarms = [] } of pages) names.push(...MetricAlarms.map(({ AlarmName = '' }) => AlarmName));
  check(names.length === expected, `${names.length} alarms answer there, deployed were ${expected}`);
}
