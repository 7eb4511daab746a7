import type { Client } from 'pg';
import type { ReconciliationReport, ReconciliationRequest } from '../../lambdas/reconciliation/contract';
import { duration, table, type Tell } from '../runtime/console';
import { tilledEventOf, tilledIntentObject, tilledSubscriptionObject } from '../tilled/objects';
import type { SentEvent } from '../tilled/stand-in';
import { check, waitUntil } from './check';
import type { PassPlatform, Step } from './steps';

const ACCEPTED = 200;
const REFUSED = 400;
const LEDGER_TIMEOUT_MS = 20_000;
const SECOND_MS = 1_000;
/** Also looks at the last minutes, in which an ordinary run expects events that are still on their way. */
const HEAL_NOW: ReconciliationRequest = { dryRun: false, settleSeconds: 0 };

interface TilledStory {
  readonly created: SentEvent;
  readonly paid: SentEvent;
  /** Never delivered. */
  readonly dropped: SentEvent;
  /** Never made by Tilled. */
  readonly forged: SentEvent;
  /** As it is stored. */
  readonly subscriptionId: string;
}

/** A subscription that begins and ends, a course that is bought, and an event that nobody made. */
function playTilled(account: string): TilledStory {
  const now = Date.now();
  const owner = { app_id: 'academy', project_id: 'project-1', user_id: 'barbara' };
  const subscription = tilledSubscriptionObject(account, now - 120 * SECOND_MS, owner);
  const ended = { ...subscription, status: 'canceled', updated_at: new Date(now - 5 * SECOND_MS).toISOString() };
  const course = { ...owner, kind: 'course', item_id: 'course-clu' };
  const at = (secondsAgo: number, type: string, object: typeof subscription) =>
    tilledEventOf(type, account, now - secondsAgo * SECOND_MS, object);
  return {
    created: at(120, 'subscription.created', subscription),
    paid: at(60, 'payment_intent.succeeded', tilledIntentObject(account, now - 60 * SECOND_MS, course)),
    dropped: at(5, 'subscription.canceled', ended),
    forged: at(1, 'subscription.created', tilledSubscriptionObject(account, now, { user_id: 'mallory' })),
    subscriptionId: `tilled:${String(subscription.id)}`,
  };
}

async function deliverStory(
  { standIn, endpoint, signingSecret }: NonNullable<PassPlatform['tilled']>,
  { created, paid, dropped, forged }: TilledStory,
  tell: Tell,
): Promise<void> {
  standIn.record(created, paid, dropped);
  const deliver = ({ id }: SentEvent) => standIn.deliver(id, endpoint, signingSecret);
  const answers = [
    [ACCEPTED, await deliver(created), created.type, ''],
    [ACCEPTED, await deliver(paid), paid.type, ''],
    [ACCEPTED, await deliver(created), created.type, 'duplicate of the first'],
    [
      REFUSED,
      await standIn.forge(forged, endpoint, 'whsec_of_somebody_else'),
      forged.type,
      'forged: signed with another secret',
    ],
  ] as const;
  const rows = answers.map(([, status, type, note]) => [String(status), type, note]);
  for (const line of table(['status', 'event', ''], [...rows, ['–', dropped.type, 'dropped: never delivered']]))
    tell(line);
  const unexpected = answers.filter(([expected, status]) => status !== expected);
  check(unexpected.length === 0, unexpected.map(([, status, type]) => `${type} was answered ${status}`).join('; '));
}

/** The source of each event of the story that is settled, by its id. */
async function settledOf(billing: Client, story: TilledStory): Promise<ReadonlyMap<string, string>> {
  const ids = [story.created, story.paid, story.dropped, story.forged].map(({ id }) => id);
  const { rows } = await billing.query<{ id: string; source: string }>(
    `SELECT id, source FROM billing.webhook_events WHERE provider = 'tilled' AND status = 'processed' AND id = ANY ($1)`,
    [ids],
  );
  return new Map(rows.map(({ id, source }) => [id, source]));
}

async function statusOf(billing: Client, subscriptionId: string): Promise<string> {
  const { rows } = await billing.query<{ status: string }>('SELECT status FROM billing.subscriptions WHERE id = $1', [
    subscriptionId,
  ]);
  return rows[0]?.status ?? 'unknown';
}

/** Delivers events of Tilled as Tilled does, one of them twice, one forged and one not at all, and has reconciliation apply that. */
export const takeTilled: Step = {
  title: "Take Tilled's events beside Stripe's, and let reconciliation apply a dropped one",
  skip: ({ platform }) => (platform.tilled === undefined ? 'this environment takes no Tilled' : undefined),
  async run({ platform, billing }, tell) {
    const { tilled } = platform;
    check(tilled !== undefined, 'this environment takes no Tilled');
    const story = playTilled(tilled.account);
    await deliverStory(tilled, story, tell);
    await waitUntil(async () => {
      const settled = await settledOf(billing, story);
      return settled.has(story.created.id) && settled.has(story.paid.id)
        ? undefined
        : `${2 - settled.size} events of Tilled are not processed`;
    }, LEDGER_TIMEOUT_MS);
    check((await settledOf(billing, story)).size === 2, 'an event was applied that was refused or never delivered');
    const before = await statusOf(billing, story.subscriptionId);
    check(before === 'active', `the subscription is ${before} before the reconciliation, expected active`);
    const purchases = await billing.query(
      `SELECT FROM billing.purchases WHERE user_id = 'barbara' AND item_id = 'course-clu' AND id LIKE 'tilled:%'`,
    );
    check(purchases.rows.length > 0, 'the payment became no purchase');

    const summary = (await platform.invoke('reconciliation', HEAL_NOW)) as ReconciliationReport;
    check(summary.status === 'complete', `the run is ${summary.status}`);
    const after = await statusOf(billing, story.subscriptionId);
    check(after === 'canceled', `the subscription is ${after} after the reconciliation, expected canceled`);
    const source = (await settledOf(billing, story)).get(story.dropped.id);
    check(source === 'reconciliation', `the dropped event is ${source ?? 'not in the ledger'}`);
    tell(
      `the duplicate and the forged one left no row; ${story.subscriptionId} is ${before}, the course a purchase; ` +
        `reconciliation applied the dropped event in ${duration(summary.durationMs)}: ${after}`,
    );
  },
};
