import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import colors from 'picocolors';
import * as z from 'zod';
import { table } from './runtime/console';
import { shellWord } from './runtime/shell';
import type { Platform } from './platform/platform';
import { eventObject, subscriptionObject } from './stripe/objects';

/** Where the commands below find the event that they send. */
const EVENT_FILE = 'event.json';

/**
 * A shell command that signs the event in a file with openssl and sends it with curl. It can be used again and again:
 * the signature is made when it runs.
 */
export function curlCommand(endpoint: string, secret: string, eventFile: string): string {
  const file = shellWord(eventFile);
  return [
    `t=$(date +%s); sig=$( (printf '%s.' "$t"; cat ${file}) | openssl dgst -sha256 -hmac '${secret}' | sed 's/^.* //')`,
    `curl -i '${endpoint}' -H 'Content-Type: application/json' -H "Stripe-Signature: t=$t,v1=$sig" --data-binary @${file}`,
  ].join('\n');
}

const createdKey = z.object({ key: z.string() });

/** A key of the API that allows everything, made as `ops keys create` makes one. */
async function createApiKey(platform: Platform): Promise<string> {
  const request = {
    action: 'create',
    name: 'npm start',
    scopes: ['admin'],
    projects: null,
    by: 'npm start',
    dryRun: false,
  };
  return createdKey.parse(await platform.invoke('keys', request)).key;
}

/** What one can do with the platform while it is up. Writes an event to send to `directory`, and creates a key of the API. */
export async function instructions(platform: Platform, directory: string): Promise<string[]> {
  const { endpoint, lambdaEndpoint, cloudWatchLogsEndpoint, signingSecret, databases, logDirectory, template } =
    platform;
  const eventFile = join(directory, EVENT_FILE);
  const subscription = subscriptionObject({ metadata: { app_id: 'academy', project_id: 'project-1', user_id: 'you' } });
  writeFileSync(eventFile, JSON.stringify(eventObject('customer.subscription.created', subscription), null, 2));
  const upcoming = platform
    .upcoming()
    .map(({ schedule, at }) => [at.toISOString().slice(0, 16).replace('T', ' '), schedule.description]);
  const api = new URL(endpoint).origin;
  const key = await createApiKey(platform);
  const heading = (text: string): string => colors.bold(text);
  return [
    heading('Endpoint'),
    `  ${endpoint}`,
    heading('Send a signed event (edit the file for another)'),
    ...curlCommand(endpoint, signingSecret, eventFile)
      .split('\n')
      .map((line) => `  ${line}`),
    heading("Stripe's own events, in test mode"),
    `  stripe listen --forward-to ${endpoint}`,
    '  then start again with STRIPE_WEBHOOK_SECRET=whsec_… as it prints, and STRIPE_SECRET_KEY=sk_test_… to reconcile',
    heading("Tilled's endpoint (a stand-in sends to it), and the secret of its signatures"),
    `  ${platform.tilled.endpoint}`,
    `  ${platform.tilled.signingSecret}`,
    heading('Stability page: open it, and sign in with the key, which allows everything'),
    `  ${api}/admin`,
    `  ${key}`,
    heading('API, with the same key'),
    `  curl -H 'Authorization: Bearer ${key}' '${api}/api/v1/entitlements/you?project=project-1'`,
    `  curl ${api}/api/health; what else there is: ${api}/api/openapi.json`,
    heading('Invoke a function'),
    `  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_REGION=${template.region}`,
    `  aws lambda invoke --endpoint-url ${lambdaEndpoint} --function-name BillingOps-local-backup \\`,
    `    --cli-binary-format raw-in-base64-out --payload '{"database":"billing"}' /dev/stdout`,
    heading("Read a function's log"),
    '  npx ops logs backup --env local',
    `  aws logs filter-log-events --endpoint-url ${cloudWatchLogsEndpoint} --log-group-name /aws/lambda/BillingOps-local-backup`,
    heading('Databases (until "ops secrets rotate" gives one a new password, and prints how to read it)'),
    ...Object.values(databases).map(({ url }) => `  psql ${shellWord(url)}`),
    heading('Other scenarios, here and now'),
    '  npm start -- --scenario list',
    heading('Next runs (UTC)'),
    ...table(['at', 'what'], upcoming).map((line) => `  ${line}`),
    heading('Logs and metrics of the functions'),
    `  ${logDirectory}`,
  ];
}
