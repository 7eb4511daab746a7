import { LambdaClient } from '@aws-sdk/client-lambda';
import { handle } from 'hono/aws-lambda';
import { cacheUrlSetting } from '../../core/cache/settings';
import { billingTarget, createConnector } from '../../core/database/connector';
import { createReusableConnection } from '../../core/database/reusable-connection';
import { openEntitlementCache } from '../../core/entitlements/open-cache';
import { API_DATABASE_ROLE } from '../../core/keys/contract';
import { createRequestLimit, REQUESTS_TAKEN_AT_ONCE } from '../../core/keys/request-limit';
import * as z from 'zod';
import { BITCOIN_NETWORKS, MAX_CONFIRMATIONS } from '../../core/providers/bitcoin/contract';
import { apiKeySecret } from '../../core/keys/secret';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  secretArnSetting,
  setting,
} from '../../core/runtime/environment';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry } from '../../core/runtime/telemetry';
import { createApp } from './app';
import { askFunctions } from './ask-functions';
import { API_TIMEOUT_MS } from './contract';
import { counted } from './counted';

const functionSetting = (stem: string) => setting.text(`the name of the function \`${stem}\``);

/** A caller has given up by then; what runs on holds a connection. */
const STATEMENT_TIMEOUT_MS = 10_000;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  CACHE_URL: cacheUrlSetting,
  API_KEY_SECRET_ARN: secretArnSetting(),
  CANARY: setting.flag(),
  TILLED: setting.flag(),
  REQUESTS_PER_MINUTE: setting.integer(REQUESTS_TAKEN_AT_ONCE, 1_000_000),
  BITCOIN_NETWORK: z.enum(BITCOIN_NETWORKS, { error: `one of ${BITCOIN_NETWORKS.join(', ')}` }).optional(),
  BITCOIN_CONFIRMATIONS: setting.integer(1, MAX_CONFIRMATIONS).default(1),
  AUDIT_FUNCTION_NAME: functionSetting('audit'),
  ENTITLEMENTS_FUNCTION_NAME: functionSetting('entitlements'),
  INSPECT_FUNCTION_NAME: functionSetting('inspect'),
  REPLAY_FUNCTION_NAME: functionSetting('replay'),
});
const telemetry = createTelemetry('api', environment);
const secrets = createSecrets();
const connector = createConnector(billingTarget(environment), secrets, 'api', {
  role: API_DATABASE_ROLE,
  statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  jit: false,
});
// What changes something is waited for as long as the request has time; this is for what only reads.
const lambda = new LambdaClient({
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 3_000, socketTimeout: API_TIMEOUT_MS - 1_000 },
});

const database = createReusableConnection(connector);
const clock = () => new Date();
const app = createApp({
  database,
  cache: openEntitlementCache(environment.CACHE_URL, telemetry),
  keySecret: async () => (await secrets.read(environment.API_KEY_SECRET_ARN, apiKeySecret)).current,
  ask: askFunctions(lambda, {
    audit: environment.AUDIT_FUNCTION_NAME,
    entitlements: environment.ENTITLEMENTS_FUNCTION_NAME,
    inspect: environment.INSPECT_FUNCTION_NAME,
    replay: environment.REPLAY_FUNCTION_NAME,
  }),
  hasCanary: environment.CANARY,
  providers: environment.TILLED ? ['stripe', 'tilled'] : ['stripe'],
  bitcoin: environment.BITCOIN_NETWORK && {
    network: environment.BITCOIN_NETWORK,
    confirmations: environment.BITCOIN_CONFIRMATIONS,
  },
  requestLimit: createRequestLimit({
    use: (work) => database.use(work),
    clock,
    maxPerMinute: environment.REQUESTS_PER_MINUTE,
  }),
  clock,
  log: telemetry.log,
});

/** Answers requests of the API, each once, with its metrics. */
export const handler = counted(handle(app), telemetry.metrics);
