import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { otherProvider } from '../../factories/other-provider';
import { paymentIntent, stripeEvent } from '../../factories/stripe-objects';
import { delivered, useBillingDatabase } from '../../support/billing';

const CORE = path.join(__dirname, '../../../core');
const PROVIDERS = readdirSync(path.join(CORE, 'providers'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

describe('core/billing', () => {
  test.each(readdirSync(path.join(CORE, 'billing')))('%s names no provider', (file) => {
    const text = readFileSync(path.join(CORE, 'billing', file), 'utf8').toLowerCase();
    expect(PROVIDERS).toContain('stripe');
    expect(PROVIDERS.filter((name) => text.includes(name))).toEqual([]);
  });
});

describe('a second provider', () => {
  const { apply, client, rows } = useBillingDatabase();

  const event = stripeEvent('payment_intent.succeeded', paymentIntent());
  const otherEvent = { id: event.id, created: event.created, data: paymentIntent({ id: 'pi_other' }) };
  const applyOther = () =>
    applyEvents(client(), otherProvider, [{ event: otherEvent, source: 'webhook', receivedAt: new Date() }]);

  test('may use event ids of the first, and each event is applied once', async () => {
    expect((await apply(event)).get(event.id)).toEqual({ status: 'processed' });
    expect((await applyOther()).get(event.id)).toEqual({ status: 'processed' });
    expect((await applyOther()).get(event.id)).toEqual({ status: 'duplicate' });
    expect(await apply(event)).toEqual(new Map([[event.id, { status: 'duplicate' }]]));

    expect(await rows('SELECT provider, id FROM billing.webhook_events ORDER BY provider')).toEqual([
      { provider: 'other', id: event.id },
      { provider: 'stripe', id: event.id },
    ]);
  });

  test('has its objects stored from where its own events hold them', async () => {
    await apply(event);
    await applyOther();

    expect(await rows('SELECT raw FROM billing.payment_intents ORDER BY id')).toEqual([
      { raw: event.data.object },
      { raw: otherEvent.data },
    ]);
  });

  test('with events of the same shape is told apart by its name', async () => {
    const outcomes = await applyEvents(client(), { ...stripeProvider, name: 'other' }, delivered([event]));

    expect(outcomes.get(event.id)).toEqual({ status: 'processed' });
    expect(await rows(`SELECT FROM billing.webhook_events WHERE provider = 'stripe'`)).toEqual([]);
  });
});
