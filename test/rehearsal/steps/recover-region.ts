import { spawnSync } from 'node:child_process';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import type { Client } from 'pg';
import { check, waitUntil } from '../../../local/pass/check';
import { readLedger, readSubscriptions } from '../../../local/pass/ledger';
import { deliver } from '../../../local/stripe/delivery';
import { eventObject, subscriptionObject } from '../../../local/stripe/objects';
import { DATABASE_NAMES } from '../../../core/contract';
import { businessRows } from '../../factories/business-rows';
import { blockOf } from '../commands';
import type { Rehearsal, RehearsalStep } from '../rehearsal';
import { shellThere } from '../successor';
import { MEANWHILE } from './lose-region';
import { successorOf } from './take-over';

const PAGE = 'region-loss.md';
/** Of Tilled, which the rehearsal does not take: the page says to leave it out. */
const OF_TILLED = ' TilledSecretsApi';
/** A secret that was put is used within a minute, and mostly at once: where the known one did not sign, it is looked up. */
const ENDPOINT_TIMEOUT_MS = 90_000;

/** Steps 3 to 7 of docs/region-loss.md, by its own commands. */
export const recoverFromCopies: RehearsalStep = {
  title: 'The commands of docs/region-loss.md restore both databases from the copies',
  skip: lacksPrograms,
  async run(rehearsal, tell) {
    const { clients, deployment, connect, config } = successorOf(rehearsal);
    const { apiKey, config: first } = rehearsal.options;
    const here = `E=${first.name} E2=${config.name} R2=${config.region}`;
    const printed = await follow(
      rehearsal,
      [
        blockOf(PAGE, '## In order').replace(/^E=.*$/m, here),
        // In two terminals at once: each call of `aws` takes most of a second to start.
        `(\n${blockOf(PAGE, '### 3. Secrets').replace(OF_TILLED, '')}\n) & secrets=$!`,
        blockOf(PAGE, '### 4. Archives'),
        'wait "$secrets"',
        blockOf(PAGE, '### 5. Restore'),
      ].join('\n'),
    );
    const { physicalId: SecretId } = await deployment.find('Data', 'AWS::SecretsManager::Secret', 'StripeSecretsApi');
    const { SecretString: value = '' } = await clients.secrets.send(new GetSecretValueCommand({ SecretId }));
    check(value.includes(apiKey), `the API key of Stripe was not put back:\n${printed}`);
    tell('3  secrets: the keys of erasures and of the API, and the API key of Stripe, have the values of the replicas');
    tell(`4  archives: ${countOf(printed, /\bcopy: s3:/g)} objects copied`);
    check(countOf(printed, /^Verified OK$/gm) === DATABASE_NAMES.length, `openssl did not verify both:\n${printed}`);
    for (const [line] of printed.matchAll(/^restored .*$/gm)) tell(`5  ${line}, of an archive that openssl verified`);
    const sql = blockOf(PAGE, '### 6. In place of the empty ones', 'sql');
    for (const name of DATABASE_NAMES) {
      const administrator = await connect(name, 'postgres');
      try {
        for (const statement of sql.replaceAll('billing', name).split(';\n')) await administrator.query(statement);
      } finally {
        await administrator.end();
      }
    }
    tell('6  the restored databases have the names of the empty ones, while functions were connected');
    await follow(rehearsal, 'ops verify billing & billing=$!; ops verify main; wait "$billing"');
    tell(`7  ops verify: both are sound in ${config.region}`);
  },
};

/** Steps 8, 9 and 11: what Stripe has and the databases do not, and the first archive there. */
export const reconcileSuccessor: RehearsalStep = {
  title: 'Stripe is pointed at the second region, and what it missed is replayed',
  skip: lacksPrograms,
  async run(rehearsal, tell) {
    const { connect, config } = successorOf(rehearsal);
    const { lost } = rehearsal;
    check(lost !== undefined, 'the rows of the first region were not kept');
    const billing = await connect('billing', 'billing');
    try {
      const secret = 'whsec_of_the_second_endpoint';
      await follow(rehearsal, `ops secrets put-stripe signing-secret --confirm ${config.name}`, secret);
      await takesWhatIsSigned(rehearsal, billing, secret);
      tell('8  the endpoint there takes what the new signing secret signed, and nothing by the lost one');
      const replayed = await follow(rehearsal, 'ops webhooks replay --from 3d');
      tell(`9  replay: ${replayed.split('\n')[0]}`);
      // The first run ends with 1 where it corrected something; after it, nothing differs.
      const reconciled = await follow(
        rehearsal,
        'ops reconcile --settle-seconds 0 || ops reconcile --settle-seconds 0',
      );
      for (const [line] of reconciled.matchAll(/^(?:compared|drift|corrected) .*$/gm)) tell(`9  ${line}`);
      await checkNothingIsLost(lost, billing);
      const counts = Object.entries(lost).map(([table, rows]) => `${rows.length} ${table}`);
      tell(`   all that the first region had is there: ${counts.join(', ')}`);
      check(
        (await readSubscriptions(billing)).some(({ user_id: user }) => user === MEANWHILE),
        'what Stripe made while no endpoint answered is missing',
      );
      await follow(rehearsal, 'ops webhooks gaps --from 3d && ops backup billing');
      tell('11 ops webhooks gaps finds none, and ops backup billing has made the first archive there');
    } finally {
      await billing.end();
    }
  },
};

/** Why the commands of the page cannot run here; undefined when they can. */
function lacksPrograms(): string | undefined {
  const lacking = ['openssl', 'sha256sum'].filter((name) => spawnSync(name, ['--version']).error !== undefined);
  return lacking.length === 0 ? undefined : `this machine has no ${lacking.join(' and no ')}, so nothing is restored`;
}

/** @throws CheckFailed naming a row that differs or is missing */
async function checkNothingIsLost(lost: NonNullable<Rehearsal['lost']>, billing: Client): Promise<void> {
  const found = await businessRows(billing);
  for (const [table, rows] of Object.entries(lost)) {
    const there = new Set(found[table]);
    const missing = rows.filter((row) => !there.has(row));
    check(missing.length === 0, `${missing.length} of ${rows.length} ${table} are missing, such as ${missing[0]}`);
  }
}

/** An event by the new endpoint is applied; one by the lost endpoint is refused. */
async function takesWhatIsSigned(rehearsal: Rehearsal, billing: Client, secret: string): Promise<void> {
  const { stripe, options } = rehearsal;
  const url = successorOf(rehearsal).deployment.webhookUrl();
  const { event } = stripe.createSubscription({ metadata: { user_id: 'user-afterwards' } });
  await waitUntil(async () => {
    const { status, body } = await deliver(event, { url, secret });
    return status === 200 ? undefined : `the endpoint answered ${status} ${body}`;
  }, ENDPOINT_TIMEOUT_MS);
  await waitUntil(async () => {
    const status = (await readLedger(billing)).get(event.id)?.status;
    return status === 'processed' ? undefined : `the event of the new endpoint is ${status ?? 'not in the ledger'}`;
  }, ENDPOINT_TIMEOUT_MS);
  const ofTheLost = eventObject('customer.subscription.created', subscriptionObject());
  const { status } = await deliver(ofTheLost, { url, secret: options.signingSecret });
  check(status === 400, `an event of the lost endpoint was answered ${status}`);
}

/** Runs commands in a terminal of the second region. @throws CheckFailed with what they printed, where one failed */
async function follow(rehearsal: Rehearsal, script: string, piped?: string): Promise<string> {
  const shell = { ...shellThere(rehearsal), piped };
  const { status, stdout, stderr } = await rehearsal.options.commands(script, shell);
  check(status === 0, `the commands ended with ${status}: ${script}\n${stdout}\n${stderr}`);
  return `${stdout}\n${stderr}`;
}

function countOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}
