import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WEBHOOK_PATH } from '../../lambdas/webhook/contract';
import type { DatabaseName } from '../../core/contract';
import { bundleFunctions } from '../../lib/operations/bundles';
import { startApiGateway } from '../aws/api-gateway';
import { startDatabases, writeAuthorities, type LocalDatabaseServer } from '../postgres/databases';
import { startEventSource } from '../aws/event-source';
import { LocalFunction } from '../aws/lambda-runtime';
import { QUEUE_ACCOUNT, startObjectStoreAndQueue } from '../aws/object-store-and-queue';
import { createResources, sqsClient } from './resources';
import { startScheduler, type Scheduler } from '../aws/scheduler';
import { startSecretsManager, type SecretsManager } from '../aws/secrets-manager';
import { startStripeStandIn, type StripeStandIn } from '../stripe/stand-in';
import { synthesise } from './synthesise';
import { readPlatformTemplate, type PlatformTemplate } from '../template/platform-template';
import type { Teardown } from '../runtime/teardown';

export interface PlatformOptions {
  /** Folder of everything that the run writes; what a former run left in it is discarded. */
  readonly directory: string;
  /** Port of the endpoint. @default a free one */
  readonly port?: number;
  /** Key of the real Stripe, in test mode. @default a stand-in is started */
  readonly stripeSecretKey?: string;
  /** @default a random one */
  readonly stripeWebhookSecret?: string;
  readonly log: (message: string) => void;
}

/** The whole platform, running on this machine. */
export interface Platform {
  readonly template: PlatformTemplate;
  /** Where Stripe's events are sent to. */
  readonly endpoint: string;
  /** Secret that the endpoint expects events to be signed with. */
  readonly signingSecret: string;
  readonly databases: Readonly<Record<DatabaseName, LocalDatabaseServer>>;
  /** Undefined when the real Stripe is used. */
  readonly stripe: StripeStandIn | undefined;
  readonly scheduler: Scheduler;
  readonly logDirectory: string;
  /** Runs a function, named by its folder in `lambdas/`. @throws FunctionError */
  invoke(stem: string, event: unknown): Promise<unknown>;
}

const STRIPE_API_BASE = 'https://api.stripe.com';
const STAND_IN_KEY = 'rk_test_local';

/** Region in the ARNs of the databases' secrets; nothing is looked up there. */
const REGION = 'eu-central-1';

/** The function that a folder in `lambdas/` becomes; its name ends in the folder's. */
function functionOf(functions: readonly LocalFunction[], stem: string): LocalFunction {
  const found = functions.find(({ definition }) => definition.name.endsWith(`-${stem}`));
  if (found === undefined) throw new Error(`The template has no function "${stem}".`);
  return found;
}

/** Gives every secret its value: those of the databases, and the two of Stripe, found by who reads them. */
function fillSecrets(
  secrets: SecretsManager,
  databases: Platform['databases'],
  functions: readonly LocalFunction[],
  stripe: { signingSecret: string; apiKey: string },
): void {
  for (const { secretArn, credentials } of Object.values(databases)) secrets.put(secretArn, credentials);
  const arnIn = (stem: string, variable: string): string => {
    const arn = functionOf(functions, stem).definition.environment[variable];
    if (arn === undefined) throw new Error(`Function ${stem} has no ${variable}.`);
    return arn;
  };
  secrets.put(arnIn('webhook', 'SIGNING_SECRET_ARN'), { current: stripe.signingSecret });
  secrets.put(arnIn('reconciliation', 'STRIPE_API_SECRET_ARN'), { apiKey: stripe.apiKey });
}

/**
 * Starts everything, wired as the synthesised template says. What is started is added to `teardown` at once, so that
 * the caller can undo a start that failed or was interrupted half-way.
 */
export async function startPlatform(options: PlatformOptions, teardown: Teardown): Promise<Platform> {
  const { directory, log } = options;
  const [assembly, bundlesFolder, logDirectory] = ['cdk.out', 'bundles', 'logs'].map((name) =>
    join(directory, name),
  ) as [string, string, string];
  for (const folder of [assembly, bundlesFolder, logDirectory]) rmSync(folder, { recursive: true, force: true });
  mkdirSync(logDirectory, { recursive: true });

  const startingDatabases = startDatabases(join(directory, 'clusters'), REGION, teardown, log);
  // Awaited below; a failure in between must not count as unhandled.
  startingDatabases.catch(() => undefined);
  const store = await startObjectStoreAndQueue();
  teardown.add(() => store.stop());
  const secrets = await startSecretsManager();
  teardown.add(() => secrets.stop());
  const stripe = options.stripeSecretKey === undefined ? await startStripeStandIn({ apiKey: STAND_IN_KEY }) : undefined;
  if (stripe !== undefined) teardown.add(() => stripe.stop());
  const bundles = bundleFunctions({ outdir: bundlesFolder });
  const databases = await startingDatabases;

  synthesise({ bundles, outdir: assembly, databases, stripeApiBase: stripe?.url ?? STRIPE_API_BASE });
  const template = readPlatformTemplate(assembly, (name) => `${store.endpoint}/${QUEUE_ACCOUNT}/${name}`);
  const sqs = sqsClient(store.endpoint, template.region);
  teardown.add(() => sqs.destroy());
  await createResources(template, store.endpoint, sqs);

  const surroundings = {
    region: template.region,
    endpoints: { s3: store.endpoint, sqs: store.endpoint, secretsManager: secrets.endpoint },
    caFile: writeAuthorities(directory, databases),
    logDirectory,
  };
  const functions = template.functions.map((definition) => new LocalFunction(definition, surroundings));
  teardown.add(() => {
    for (const each of functions) each.stop();
  });
  const signingSecret = options.stripeWebhookSecret ?? `whsec_${randomBytes(24).toString('hex')}`;
  const apiKey = options.stripeSecretKey ?? STAND_IN_KEY;
  fillSecrets(secrets, databases, functions, { signingSecret, apiKey });

  const byArn = new Map(functions.map((each) => [each.definition.arn, each]));
  const invokeArn = async (arn: string, event: unknown): Promise<unknown> => {
    const target = byArn.get(arn);
    if (target === undefined) throw new Error(`The template has no function ${arn}.`);
    return target.invoke(event);
  };
  for (const definition of template.eventSources) {
    const queue = template.queues.find(({ arn }) => arn === definition.queueArn);
    const target = functions.find((each) => each.definition.name === definition.functionName);
    if (queue === undefined || target === undefined)
      throw new Error('An event source names a queue or function unknown.');
    const invoke = (event: unknown): Promise<unknown> => target.invoke(event);
    const source = startEventSource({ sqs, definition, queue, region: template.region, invoke, log });
    teardown.add(() => source.stop());
  }
  const gateway = await startApiGateway({ api: template.api, invoke: invokeArn, port: options.port, log });
  teardown.add(() => gateway.stop());
  const scheduler = startScheduler({ schedules: template.schedules, invoke: invokeArn, log });
  teardown.add(() => scheduler.stop());

  return {
    template,
    endpoint: `${gateway.url}${WEBHOOK_PATH}`,
    signingSecret,
    databases,
    stripe,
    scheduler,
    logDirectory,
    invoke: (stem, event) => functionOf(functions, stem).invoke(event),
  };
}
