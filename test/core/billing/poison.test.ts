import { invoice, stripeEvent, subscription } from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, rows } = useBillingDatabase();

describe('a poison event', () => {
  test('with a malformed object is recorded as failed, naming the field, and its neighbours are processed', async () => {
    const poison = stripeEvent('customer.subscription.created', subscription({ id: 'sub_bad', currency: 12 }));
    const good = stripeEvent('customer.subscription.created', subscription({ id: 'sub_good' }));

    const outcomes = await apply(poison, good);

    expect(outcomes.get(poison.id)).toEqual({
      status: 'failed',
      error: 'subscription.currency: expected an ISO 4217 currency',
      attempts: 1,
    });
    expect(await rows('SELECT id FROM billing.subscriptions')).toEqual([{ id: 'sub_good' }]);
  });

  test('that only PostgreSQL rejects is isolated from the rest of its batch', async () => {
    // An integer column cannot hold this count of attempts.
    const poison = stripeEvent('invoice.payment_failed', invoice({ id: 'in_bad', attempt_count: 3_000_000_000 }));
    const good = Array.from({ length: 9 }, (_, index) =>
      stripeEvent('invoice.finalized', invoice({ id: `in_${index}` })),
    );

    const outcomes = await apply(...good.slice(0, 4), poison, ...good.slice(4));

    expect(outcomes.get(poison.id)).toMatchObject({ status: 'failed', error: expect.stringContaining('out of range') });
    expect(await rows('SELECT count(*)::int AS stored FROM billing.invoices')).toEqual([{ stored: 9 }]);
    expect(await rows(`SELECT id, attempts FROM billing.webhook_events WHERE status = 'failed'`)).toEqual([
      { id: poison.id, attempts: 1 },
    ]);
  });

  test('has every attempt counted, and is processed once it is corrected', async () => {
    const poison = stripeEvent('invoice.finalized', invoice({ currency: null }));
    await apply(poison);
    await apply(poison);
    await apply({ ...poison, data: { object: invoice() } });

    expect(await rows('SELECT status, attempts, error FROM billing.webhook_events')).toEqual([
      { status: 'processed', attempts: 3, error: null },
    ]);
  });

  test('with text that PostgreSQL cannot hold is stored with replacement characters, and does not fail', async () => {
    const event = stripeEvent('customer.subscription.created', subscription({ metadata: { user_id: 'a\0b\ud800c' } }));

    expect((await apply(event)).get(event.id)).toEqual({ status: 'processed' });
    expect(await rows('SELECT user_id FROM billing.subscriptions')).toEqual([{ user_id: 'a\ufffdb\ufffdc' }]);
  });

  test('whose object does not belong to its type is recorded as failed, naming the field', async () => {
    const event = stripeEvent('customer.subscription.updated', invoice());

    expect((await apply(event)).get(event.id)).toEqual({
      status: 'failed',
      error: 'data.object.object: expected `subscription` in an event of type customer.subscription.updated',
      attempts: 1,
    });
  });
});
