import { check, waitUntil } from '../../../local/pass/check';
import { readLedger } from '../../../local/pass/ledger';
import { deliver } from '../../../local/stripe/delivery';
import { eventObject, subscriptionObject } from '../../../local/stripe/objects';
import { takeMessages, withQuickRetries } from '../queues';
import type { RehearsalStep } from '../rehearsal';

/** Three deliveries, each after the message was hidden. */
const PARKED_TIMEOUT_MS = 60_000;

/** An event that no attempt can apply, between two that can. */
export const parkPoison: RehearsalStep = {
  title: 'A poison event ends in the dead-letter queue, its neighbours do not',
  async run(rehearsal, tell) {
    const { deployment, platform, billing, stripe, options } = rehearsal;
    const { physicalId: parked } = await deployment.find('Operations', 'AWS::SQS::Queue', 'EventQueueParked');
    const [before, after] = [stripe.createSubscription().event, stripe.createSubscription().event];
    const poison = eventObject('customer.subscription.created', subscriptionObject({ currency: 'euro' }));
    await withQuickRetries(rehearsal, async () => {
      for (const event of [before, poison, after]) {
        const { status } = await deliver(event, { url: platform.endpoint, secret: platform.signingSecret });
        check(status === 200, `${event.type} was answered ${status}, expected 200`);
      }
      const bodies: string[] = [];
      await waitUntil(async () => {
        bodies.push(...(await takeMessages(options.clients.sqs, parked)));
        return bodies.length > 0 ? undefined : 'the dead-letter queue is empty';
      }, PARKED_TIMEOUT_MS);
      const ids = bodies.map((body) => (JSON.parse(body) as { id: string }).id);
      check(ids.join() === poison.id, `the dead-letter queue holds ${ids.join()}, expected ${poison.id} alone`);
    });
    const ledger = await readLedger(billing);
    const row = ledger.get(poison.id);
    check(row?.status === 'failed', `the poison event is ${row?.status} in the ledger, expected failed`);
    for (const { id } of [before, after]) {
      const status = ledger.get(id)?.status;
      check(status === 'processed', `a neighbour is ${status}, expected processed`);
    }
    tell(`parked after ${row.attempts} attempts: ${row.error}; both neighbours are processed`);
  },
};
