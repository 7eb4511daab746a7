import { applyEvents } from '../../../core/billing/apply-events';
import { stripeProvider } from '../../../core/providers/stripe/provider';
import { readEvent } from '../../../core/providers/stripe/shapes';
import { paymentIntent, stripeEvent } from '../../factories/stripe-objects';
import { useBillingDatabase } from '../../support/billing';

const { apply, client, rows } = useBillingDatabase();

describe('a stored event', () => {
  const keptJson = async (json: string) => {
    const event = readEvent(JSON.parse(json));
    await applyEvents(client(), stripeProvider, [{ event, json, source: 'webhook', receivedAt: new Date() }]);
    const [kept] = await rows(`
      SELECT e.payload, p.raw FROM billing.webhook_events e JOIN billing.payment_intents p ON p.id = 'pi_1'`);
    return kept as { payload: { data: { object: object } }; raw: object };
  };

  test('is the event as it was delivered, and so is its stored object', async () => {
    const event = stripeEvent(
      'payment_intent.succeeded',
      paymentIntent({ metadata: { note: 'caf\u00e9 \ud83d\ude80' } }),
    );
    const { payload, raw } = await keptJson(JSON.stringify(event, null, 1));

    expect(payload).toEqual(event);
    expect(raw).toEqual(event.data.object);
  });

  test.each([
    ['a client secret', { client_secret: 'pi_1_secret' }, {}],
    ['half of a surrogate pair', { description: 'a\ud800' }, { description: 'a\ufffd' }],
    ['the number of a card', { source: { object: 'card', number: '4242' } }, { source: { object: 'card' } }],
  ])('does not contain %s, although it was delivered', async (_what, delivered, kept) => {
    const clean = stripeEvent('payment_intent.succeeded', paymentIntent());
    const event = { ...clean, data: { object: { ...clean.data.object, ...delivered } } };
    const { payload, raw } = await keptJson(JSON.stringify(event));

    expect(raw).toEqual({ ...clean.data.object, ...kept });
    expect(payload.data.object).toEqual(raw);
  });

  test('that failed before is the one of the attempt that succeeded', async () => {
    const event = stripeEvent('payment_intent.succeeded', paymentIntent());
    await apply({ ...event, data: { object: { object: 'payment_intent' } } });
    expect(await apply(event)).toEqual(new Map([[event.id, { status: 'processed' }]]));

    expect(await rows('SELECT raw FROM billing.payment_intents')).toEqual([{ raw: event.data.object }]);
  });
});
