import { cacheUrlSetting } from '../../core/cache/settings';
import { billingTarget, createConnector, withConnection } from '../../core/database/connector';
import { openEntitlementCache } from '../../core/entitlements/open-cache';
import { BITCOIN_NETWORKS } from '../../core/providers/bitcoin/contract';
import { createNode } from '../../core/providers/bitcoin/node';
import { createRpc, nodeSecret } from '../../core/providers/bitcoin/rpc';
import {
  baseSettings,
  billingDatabaseSettings,
  readEnvironment,
  secretArnSetting,
  setting,
} from '../../core/runtime/environment';
import { renewFrom } from '../../core/runtime/held-secret';
import { operation } from '../../core/runtime/operation';
import { createSecrets } from '../../core/runtime/secrets';
import { createTelemetry, MetricUnit } from '../../core/runtime/telemetry';
import * as z from 'zod';
import { CONFIRMATIONS_METRICS, contract } from './contract';
import { confirmPayments } from './core';
import { readGauges, type Gauges } from './gauges';
import type { ExaminedIds } from './mempool';
import { Tally } from './run';

/** Milliseconds kept of the function's time to end the current step. Lower, and Lambda ends it in the middle: nothing is lost. */
const RESERVED_MS = 20_000;

const environment = readEnvironment({
  ...baseSettings,
  ...billingDatabaseSettings,
  CACHE_URL: cacheUrlSetting,
  BITCOIN_NETWORK: z.enum(BITCOIN_NETWORKS, { error: `one of ${BITCOIN_NETWORKS.join(', ')}` }),
  NODE_URL: setting.url('the URL of the JSON-RPC of a node, such as https://node.example.com:8332'),
  NODE_SECRET_ARN: secretArnSetting(),
});
const telemetry = createTelemetry('confirmations', environment);
const secrets = createSecrets();
const connector = createConnector(billingTarget(environment), secrets, 'confirmations');
const cache = openEntitlementCache(environment.CACHE_URL, telemetry);
const examined: ExaminedIds = new Set();
const clock = () => new Date();
/** Of the last run, for its metrics. */
let measured: { readonly gauges: Gauges; readonly lost: number } | undefined;

/** Follows the chain and the mempool of a node, and brings expected payments up to date. Runs every two minutes. */
export const handler = operation(contract, {
  name: 'Confirmations',
  telemetry,
  reserveMs: RESERVED_MS,
  run: async ({ dryRun, accept }, { stop }) => {
    const { NODE_URL: url, NODE_SECRET_ARN: secretArn } = environment;
    const credentials = await secrets.read(secretArn, nodeSecret);
    // A node has one password at a time: until it is started again, it takes the one before that of the secret.
    const renew = renewFrom(secrets, secretArn, nodeSecret, ['current', 'previous']);
    const node = createNode(createRpc({ url, credentials, renew, signal: stop }));
    const tally = new Tally();
    const { BITCOIN_NETWORK: network } = environment;
    measured = undefined;
    try {
      return await withConnection(connector, async (client) => {
        const run = { client, node, network, clock, log: telemetry.log, stop, tally };
        const report = await confirmPayments(run, { dryRun, examined, accept });
        measured = { gauges: await readGauges(client, clock()), lost: tally.lost };
        return report;
      });
    } finally {
      // Steps that were committed before an error stay.
      await cache.invalidate(tally.entitlements);
    }
  },
  measure: (metrics, { dryRun, outcome, blockAt, reorganisations }) => {
    // An acceptance alone says nothing of the chain and of the node.
    if (dryRun || outcome === 'not_followed') return;
    const count = (name: string, value: number) => metrics.addMetric(name, MetricUnit.Count, value);
    const seconds = (name: string, value: number) => metrics.addMetric(name, MetricUnit.Seconds, value);
    count(CONFIRMATIONS_METRICS.succeeded, 1);
    count(CONFIRMATIONS_METRICS.nodeUnreachable, outcome === 'node_unreachable' ? 1 : 0);
    count(CONFIRMATIONS_METRICS.reorganisationDepth, Math.max(0, ...reorganisations.map(({ depth }) => depth)));
    if (blockAt !== null) {
      seconds(CONFIRMATIONS_METRICS.blockAgeSeconds, Math.max(0, (Date.now() - Date.parse(blockAt)) / 1_000));
    }
    if (measured === undefined) return;
    const { gauges, lost } = measured;
    count(CONFIRMATIONS_METRICS.paymentsLost, lost);
    seconds(CONFIRMATIONS_METRICS.oldestUnsettledSeconds, gauges.oldestUnsettledSeconds);
    if (gauges.confirmationSeconds !== undefined) {
      seconds(CONFIRMATIONS_METRICS.confirmationSeconds, gauges.confirmationSeconds);
    }
  },
  failedMetric: CONFIRMATIONS_METRICS.failed,
  durationMetric: CONFIRMATIONS_METRICS.durationMs,
});
