import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { DatabaseName } from '../../core/contract';
import { WEBHOOK_ENDPOINTS } from '../../core/providers/contract';
import { startApiGateway } from '../aws/api-gateway';
import { startCloudFormation } from '../aws/cloud-formation';
import { startCloudWatch } from '../aws/cloudwatch';
import { startCloudWatchLogs } from '../aws/cloudwatch-logs';
import { logsOf } from '../aws/function-logs';
import { keepFailuresIn } from '../aws/failure-destination';
import { startLambdaApi, type ObservedInvocation } from '../aws/lambda-api';
import { QUEUE_ACCOUNT } from '../aws/object-store-and-queue';
import type { Scheduler } from '../aws/scheduler';
import { startDatabases, startSecondBilling, writeAuthorities, type LocalDatabaseServer } from '../postgres/databases';
import type { HttpServer } from '../runtime/http-server';
import type { Teardown } from '../runtime/teardown';
import type { ExecutionRecord } from '../states/executions';
import type { StripeStandIn } from '../stripe/stand-in';
import type { TilledStandIn } from '../tilled/stand-in';
import { readPlatformTemplate, type PlatformTemplate } from '../template/platform-template';
import { Activity } from './activity';
import { withAddresses } from './addresses';
import { writeAssembly } from './assembly';
import { type ConsumerOptions, startConsumers } from './consumers';
import { CopiedInstances } from './copied-instances';
import { fillSecrets, PlatformFunctions } from './functions';
import { writePlatformFile } from './platform-file';
import { createResources, sqsClient } from './resources';
import { startServices } from './services';
import { REGION } from './template-addresses';
import { archiveWorkflowArns, startWorkflows, stateMachines } from './workflows';

export interface PlatformOptions {
  /** Folder of everything that the run writes; the content of a former run is discarded. */
  readonly directory: string;
  /** Port of the endpoint. @default a free one */
  readonly port?: number;
  /** Key of the real Stripe, in test mode. @default a stand-in is started */
  readonly stripeSecretKey?: string;
  /** @default a random one */
  readonly stripeWebhookSecret?: string;
  /** Start another server, which `ops move` moves billing to. @default false */
  readonly secondServer?: boolean;
  /** Receives unusual conditions, such as an orphan that was stopped. */
  readonly log: (message: string) => void;
  /** Prints a line of the platform's activity. */
  readonly print: (line: string) => void;
}

/** Tilled, which is always a stand-in here, and where it delivers to. */
export interface LocalTilled {
  readonly standIn: TilledStandIn;
  /** The account whose events are listed. */
  readonly account: string;
  readonly endpoint: string;
  readonly signingSecret: string;
}

/** The whole platform, running on this machine. */
export interface Platform {
  readonly template: PlatformTemplate;
  /** URL that Stripe's events are sent to. */
  readonly endpoint: string;
  /** Secret that the endpoint verifies signatures with. */
  readonly signingSecret: string;
  readonly databases: Readonly<Record<DatabaseName, LocalDatabaseServer>>;
  /** Server that billing may be moved to; undefined when none was asked for. */
  readonly secondBilling: LocalDatabaseServer | undefined;
  /** Undefined when the real Stripe is used. */
  readonly stripe: StripeStandIn | undefined;
  readonly tilled: LocalTilled;
  /** Endpoint of Lambda's Invoke API. */
  readonly lambdaEndpoint: string;
  /** Endpoint of CloudWatch Logs, with the logs of the functions. */
  readonly cloudWatchLogsEndpoint: string;
  readonly activity: Activity;
  readonly logDirectory: string;
  /** Client of the queues. */
  readonly sqs: SQSClient;
  /** Whether messages are taken and schedules run. */
  readonly consuming: boolean;
  /**
   * Begins to take messages from the queues and to run the schedules, unless that has begun. To be called when the databases
   * are migrated: events that arrive earlier wait in the queue.
   */
  startConsumers(): void;
  /** The next start of each schedule, soonest first; none before the consumers are started. */
  upcoming(): ReturnType<Scheduler['upcoming']>;
  /** Runs a function, named by its folder in `lambdas/`. @throws FunctionError */
  invoke(stem: string, event: unknown): Promise<unknown>;
  /** An execution of a state machine, under way or ended; undefined when there is none. */
  execution(arn: string): ExecutionRecord | undefined;
}

const STRIPE_API_BASE = 'https://api.stripe.com';
/** Name of the environment that `localEnvironment` describes. */
const ENVIRONMENT = 'local';
const STAND_IN_KEY = 'rk_test_local0000';
const TILLED_KEY = 'sk_test_local0000';
const TILLED_ACCOUNT = 'acct_local';

/**
 * Starts everything, wired as the synthesised template says. What is started is added to `teardown` at once, so that
 * the caller can undo a start that failed or was interrupted half-way.
 */
export async function startPlatform(options: PlatformOptions, teardown: Teardown): Promise<Platform> {
  const { directory, log } = options;
  const [assembly, logDirectory] = [join(directory, 'cdk.out'), join(directory, 'logs')];
  for (const folder of [assembly, logDirectory]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(logDirectory, { recursive: true });

  const startingDatabases = startDatabases(join(directory, 'clusters'), REGION, teardown, log);
  const startingSecond = options.secondServer
    ? startSecondBilling(join(directory, 'clusters'), REGION, teardown, log)
    : Promise.resolve(undefined);
  // Awaited below; a failure in between must not count as unhandled.
  for (const starting of [startingDatabases, startingSecond]) starting.catch(() => undefined);
  const stripeKey = options.stripeSecretKey === undefined ? STAND_IN_KEY : undefined;
  const { store, secrets, kms, sts, stripe, tilled } = await startServices(TILLED_KEY, stripeKey, teardown);
  await writeAssembly(assembly);
  const [databases, secondBilling] = [await startingDatabases, await startingSecond];
  const servers = [...Object.values(databases), ...(secondBilling ? [secondBilling] : [])];
  const template = readPlatformTemplate(assembly, (name) => `${store.endpoint}/${QUEUE_ACCOUNT}/${name}`);
  const instances = new CopiedInstances(databases, join(directory, 'clusters'));
  await instances.recover();
  const machines = stateMachines(template, assembly, instances);
  const sqs = sqsClient(store.endpoint, template.region);
  teardown.add(() => sqs.destroy());
  await createResources(template, store.endpoint, sqs);

  const surroundings = {
    region: template.region,
    endpoints: { s3: store.endpoint, sqs: store.endpoint, secretsManager: secrets.endpoint, kms: kms.url },
    caFile: writeAuthorities(directory, servers),
    // Functions start with their first invocation, which is later.
    apis: () => ({
      cloudFormation: cloudFormation.url,
      cloudWatch: cloudWatch.url,
      cloudWatchLogs: cloudWatchLogs.url,
      lambda: lambdaApi.url,
      rds: rds.url,
      stepFunctions: stepFunctions.url,
      webhooks: endpoint,
    }),
    logDirectory,
  };
  const apiBases = { stripe: stripe?.url ?? STRIPE_API_BASE, tilled: tilled.url };
  const arns = archiveWorkflowArns(machines);
  const definitions = withAddresses(template.functions, databases, apiBases, secondBilling, arns);
  const functions = new PlatformFunctions(definitions, surroundings);
  teardown.add(() => functions.stop());
  const newSecret = (): string => `whsec_${randomBytes(24).toString('hex')}`;
  const signingSecret = options.stripeWebhookSecret ?? newSecret();
  const tilledSecret = newSecret();
  const apiKey = options.stripeSecretKey ?? STAND_IN_KEY;
  fillSecrets(
    secrets,
    Object.values(databases),
    functions,
    { signingSecret, apiKey },
    { signingSecret: tilledSecret, apiKey: TILLED_KEY, account: TILLED_ACCOUNT },
  );
  if (secondBilling) secrets.put(secondBilling.secretArn, secondBilling.credentials);

  const activity = new Activity(options.print);
  const keepFailure = keepFailuresIn(sqs, template.queues, log);
  const { api, lambdaApi, cloudFormation, cloudWatch, cloudWatchLogs } = await startApis(
    options,
    { template, functions, keepFailure, activity },
    teardown,
  );
  const region = { endpoint: store.endpoint, region: template.region };
  const observe = (execution: ExecutionRecord): void => activity.workflow(execution);
  const { rds, stepFunctions, executions } = await startWorkflows(
    { machines, instances, functions, store: region, observe },
    teardown,
  );
  const endpoint = `${api.url}${WEBHOOK_ENDPOINTS.stripe.path}`;
  stripe?.state.webhookEndpoints.push({
    id: 'we_local',
    url: endpoint,
    status: 'enabled',
    api_version: null,
    enabled_events: ['*'],
  });
  const file = writePlatformFile(directory, {
    environment: ENVIRONMENT,
    region: template.region,
    endpoints: {
      cloudWatch: cloudWatch.url,
      cloudWatchLogs: cloudWatchLogs.url,
      lambda: lambdaApi.url,
      s3: store.endpoint,
      secretsManager: secrets.endpoint,
      sqs: store.endpoint,
      stepFunctions: stepFunctions.url,
      sts: sts.url,
    },
    apiUrl: api.url,
    webhookUrl: endpoint,
  });
  teardown.add(() => file.remove());
  let scheduler: Scheduler | undefined;
  return {
    template,
    endpoint,
    lambdaEndpoint: lambdaApi.url,
    cloudWatchLogsEndpoint: cloudWatchLogs.url,
    signingSecret,
    databases,
    secondBilling,
    stripe,
    tilled: {
      standIn: tilled,
      account: TILLED_ACCOUNT,
      endpoint: `${api.url}${WEBHOOK_ENDPOINTS.tilled.path}`,
      signingSecret: tilledSecret,
    },
    activity,
    logDirectory,
    sqs,
    get consuming() {
      return scheduler !== undefined;
    },
    startConsumers() {
      scheduler ??= startConsumers({ template, functions, sqs, keepFailure, activity, log }, teardown);
    },
    upcoming: () => scheduler?.upcoming() ?? [],
    invoke: (stem, event) => functions.byStem(stem).invoke(event),
    execution: (arn) => executions.find(arn),
  };
}

/** Starts the API of the template's routes, and AWS's own APIs of its functions. */
async function startApis(
  { port, log }: PlatformOptions,
  {
    template,
    functions,
    keepFailure,
    activity,
  }: Pick<ConsumerOptions, 'template' | 'functions' | 'keepFailure' | 'activity'>,
  teardown: Teardown,
): Promise<Record<'api' | 'lambdaApi' | 'cloudFormation' | 'cloudWatch' | 'cloudWatchLogs', HttpServer>> {
  const invoke = async (arn: string, event: APIGatewayProxyEvent): Promise<unknown> => {
    const target = functions.byArn(arn);
    const started = performance.now();
    const result = await target.invoke(event);
    activity.request(target.definition.name, event, result, performance.now() - started);
    return result;
  };
  const api = await startApiGateway({ api: template.api, invoke, port, log });
  teardown.add(() => api.stop());
  const observe = (invocation: ObservedInvocation): void => activity.invocation(invocation);
  const lambdaApi = await startLambdaApi({ functions: functions.all, observe, keepFailure });
  teardown.add(() => lambdaApi.stop());
  const logs = logsOf(functions.all);
  const cloudWatch = await startCloudWatch(logs);
  teardown.add(() => cloudWatch.stop());
  const cloudWatchLogs = await startCloudWatchLogs(logs);
  teardown.add(() => cloudWatchLogs.stop());
  const cloudFormation = await startCloudFormation(logs);
  teardown.add(() => cloudFormation.stop());
  return { api, lambdaApi, cloudFormation, cloudWatch, cloudWatchLogs };
}
