import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { openSignedStore } from '../../core/archive/open-store';
import { archiveSettings } from '../../core/archive/settings';
import { functionName } from '../../core/contract';
import { accessSettings, loginSecretArns } from '../../core/access/settings';
import { billingTarget, createConnector, mainTarget } from '../../core/database/connector';
import {
  baseSettings,
  billingDatabaseSettings,
  mainDatabaseSettings,
  readEnvironment,
  secretArnSetting,
  setting,
} from '../../core/runtime/environment';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { contract } from './contract';
import { inspect } from './core';

const LONGEST_FREQUENCY_HOURS = 24 * 31;
/** An API that does not answer must not use up the time of the others: an operator waits. */
const TIMEOUTS = { connectionTimeout: 3_000, socketTimeout: 10_000 };

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  ...mainDatabaseSettings,
  ...archiveSettings,
  BILLING_FREQUENCY_HOURS: setting.integer(1, LONGEST_FREQUENCY_HOURS),
  MAIN_FREQUENCY_HOURS: setting.integer(1, LONGEST_FREQUENCY_HOURS),
  QUEUE_URL: setting.url('the URL of an SQS queue'),
  DEAD_LETTER_QUEUE_URL: setting.url('the URL of an SQS queue'),
  STRIPE_API_SECRET_ARN: secretArnSetting(),
  STRIPE_SIGNING_SECRET_ARN: secretArnSetting(),
  LOGIN_SECRETS: accessSettings.LOGIN_SECRETS,
});
const telemetry = createTelemetry('inspect', environment);
const secrets = createSecrets();
const dependencies = {
  connectors: {
    billing: createConnector(billingTarget(environment), secrets, 'inspect'),
    main: createConnector(mainTarget(environment), secrets, 'inspect'),
  },
  store: openSignedStore(environment, 'reading'),
  cloudWatch: new CloudWatchClient({ maxAttempts: 1, requestHandler: TIMEOUTS }),
  alarmPrefix: functionName(environment.ENVIRONMENT_NAME, ''),
  sqs: new SQSClient({ requestHandler: TIMEOUTS }),
  queueUrl: environment.QUEUE_URL,
  deadLetterQueueUrl: environment.DEAD_LETTER_QUEUE_URL,
  secretsManager: new SecretsManagerClient({ requestHandler: TIMEOUTS }),
  secretArns: {
    'billing-database': environment.BILLING_DATABASE_SECRET_ARN,
    'main-database': environment.MAIN_DATABASE_SECRET_ARN,
    ...loginSecretArns(environment.LOGIN_SECRETS),
    'stripe-api': environment.STRIPE_API_SECRET_ARN,
    'stripe-signing': environment.STRIPE_SIGNING_SECRET_ARN,
  },
  frequencyHours: { billing: environment.BILLING_FREQUENCY_HOURS, main: environment.MAIN_FREQUENCY_HOURS },
  clock: () => new Date(),
};

/** Answers questions of operators about the state of the platform; see {@link CheckedInspectRequest}. */
export const handler = operation(contract, {
  name: 'Inspection',
  telemetry,
  run: (request) => inspect(dependencies, request),
  // Answers may be long, and hold errors of events.
  summarise: ({ action }) => ({ message: 'Inspection finished', details: { action } }),
});
