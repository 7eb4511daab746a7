import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { check, waitUntil } from '../../local/pass/check';
import { readLedger } from '../../local/pass/ledger';
import { deliver } from '../../local/stripe/delivery';
import type { Rehearsal } from './rehearsal';

/** Deliveries at a time: enough that some are on their way at any moment of a deployment. Each takes a process. */
const CONCURRENCY = 3;
const PAUSE_MS = 50;
/** Stripe retries after minutes, and for days; the rehearsal does not wait that long. */
const RETRY_MS = 500;
const LEDGER_TIMEOUT_MS = 60_000;

/** Webhooks that keep coming. */
export interface Traffic {
  /** Ends it and waits until everything was accepted. */
  stop(): Promise<TrafficReport>;
}

export interface TrafficReport {
  readonly ids: readonly string[];
  /** How often a delivery was answered with what. */
  readonly answers: ReadonlyMap<number | string, number>;
}

/** Sends webhooks continuously, and delivers rejected ones again, as Stripe does. */
export function startTraffic({ stripe, platform }: Rehearsal): Traffic {
  const ids: string[] = [];
  const answers = new Map<number | string, number>();
  let stopped = false;
  const sendUntilAccepted = async (): Promise<void> => {
    const { event } = stripe.createSubscription({ metadata: { user_id: `user-${ids.length}` } });
    ids.push(event.id);
    for (;;) {
      const answer = await deliver(event, { url: platform.endpoint, secret: platform.signingSecret }).then(
        ({ status }) => status,
        (error: unknown) => (error instanceof Error ? error.name : String(error)),
      );
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      if (answer === 200) return;
      await sleep(RETRY_MS);
    }
  };
  const senders = Array.from({ length: CONCURRENCY }, async () => {
    while (!stopped) {
      await sendUntilAccepted();
      await sleep(PAUSE_MS);
    }
  });
  return {
    async stop() {
      stopped = true;
      await Promise.all(senders);
      return { ids, answers };
    },
  };
}

/** Checks that every event took effect, once, and says what came back. */
export async function checkNothingLost(billing: Client, { ids, answers }: TrafficReport): Promise<string> {
  await waitUntil(async () => {
    const ledger = await readLedger(billing);
    const missing = ids.filter((id) => ledger.get(id)?.status !== 'processed').length;
    return missing === 0 ? undefined : `${missing} of ${ids.length} accepted events are not processed`;
  }, LEDGER_TIMEOUT_MS);
  const ledger = await readLedger(billing);
  const again = ids.filter((id) => ledger.get(id)?.attempts !== 1).length;
  const refused = [...answers].filter(([answer]) => answer !== 200);
  check(
    refused.every(([answer]) => typeof answer === 'string' || answer >= 500),
    `genuine events were refused: ${refused.map(([answer]) => answer).join(', ')}`,
  );
  const { rows } = await billing.query<{ count: string }>(
    `SELECT count(*) FROM billing.webhook_events e
       JOIN billing.subscriptions s ON s.id = e.payload #>> '{data,object,id}' WHERE e.id = ANY($1)`,
    [ids],
  );
  check(Number(rows[0]?.count) === ids.length, `${rows[0]?.count} subscriptions came of ${ids.length} events`);
  const retried = refused.map(([answer, times]) => `${times} × ${answer}, delivered again`).join('; ');
  return `${ids.length} webhooks, ${retried || 'each accepted at once'}; all processed, ${again} at a second attempt`;
}
