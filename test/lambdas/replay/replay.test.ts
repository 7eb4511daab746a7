import { nowSeconds, useStripeAndDatabase } from '../../support/stripe';

const { client, deliver, replay, rows, stripe, work } = useStripeAndDatabase();

const hoursAgoSeconds = (hours: number) => nowSeconds() - hours * 3_600;
const isoTime = (seconds: number) => new Date(seconds * 1_000).toISOString();
const dayAgo = () => isoTime(hoursAgoSeconds(24));
const ledger = () => rows('SELECT id, status FROM billing.webhook_events ORDER BY occurred_at, id');

/** Three subscriptions at Stripe: the event of one was received, of one failed, and of one was never received. */
async function createThree() {
  const [received, failed, missing] = [3, 2, 1]
    .map((hours) => stripe().state.createSubscription({ created: hoursAgoSeconds(hours) }))
    .map(({ event }) => event);
  if (received === undefined || failed === undefined || missing === undefined) throw new Error('unreachable');
  await deliver({ event: received });
  // It was refused when it arrived, for a reason that has gone.
  await client().query(
    `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
     VALUES ($1, $2, false, 'webhook', 'failed', 3, 'it was refused', to_timestamp($3), now(), $4)`,
    [failed.id, failed.type, failed.created, failed],
  );
  return { received, failed, missing };
}

describe('a gap report', () => {
  test('names the missing and the failed events of the range, and changes nothing', async () => {
    const { failed, missing } = await createThree();

    const report = await replay({ action: 'gaps', from: dayAgo() });

    expect(report).toMatchObject({ checked: 3, outcomes: { alreadyProcessed: 1, failed: 1, missing: 1 } });
    expect(report.events).toEqual([
      expect.objectContaining({ id: missing.id, type: missing.type, outcome: 'missing' }),
      expect.objectContaining({ id: failed.id, outcome: 'failed', error: 'it was refused' }),
    ]);
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 1 }]);
  });

  test('includes the start of the range and excludes its end', async () => {
    const { event } = stripe().state.createSubscription({ created: hoursAgoSeconds(2) });
    const checked = async (from: number, to: number) =>
      (await replay({ action: 'gaps', from: isoTime(from), to: isoTime(to) })).checked;

    expect(await checked(event.created, event.created + 1)).toBe(1);
    expect(await checked(hoursAgoSeconds(5), event.created)).toBe(0);
  });

  test('refuses a range that begins before the events that Stripe lists, and names the earliest time', async () => {
    const refused = replay({ action: 'gaps', from: isoTime(hoursAgoSeconds(31 * 24)) });

    await expect(refused).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringMatching(/^from: Stripe lists only the events of the last 30 days, from \d{4}-/),
    });
  });

  test('refuses a range that ends before it begins', async () => {
    const refused = replay({ action: 'gaps', from: dayAgo(), to: isoTime(hoursAgoSeconds(25)) });

    await expect(refused).rejects.toMatchObject({
      code: 'invalid_request',
      message: 'to: expected a time after `from`',
    });
  });

  test('that is out of time answers with a request for the rest of the range', async () => {
    const [from, to] = [dayAgo(), isoTime(hoursAgoSeconds(1))];

    const report = await replay({ action: 'gaps', from, to }, { stop: AbortSignal.abort() });

    expect(report).toMatchObject({ checked: 0, dryRun: true, next: { action: 'gaps', from, to } });
  });
});

describe('a replay', () => {
  test('applies the missing and the failed events of the range, and nothing a second time', async () => {
    await createThree();
    const repeated = () => replay({ action: 'replay', from: dayAgo(), dryRun: false });

    expect(await repeated()).toMatchObject({ checked: 3, outcomes: { alreadyProcessed: 1, processed: 2 } });
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 3 }]);
    expect(await repeated()).toMatchObject({ outcomes: { alreadyProcessed: 3 }, events: [] });
  });

  test('that is dry says what it would apply, and applies nothing', async () => {
    await createThree();
    const before = await ledger();

    expect(await replay({ action: 'replay', from: dayAgo() })).toMatchObject({
      dryRun: true,
      outcomes: { alreadyProcessed: 1, wouldApply: 2 },
    });
    expect(await ledger()).toEqual(before);
  });

  test('reports an event that cannot be read as failed, and applies the others', async () => {
    const { event } = stripe().state.createSubscription({ created: hoursAgoSeconds(2) });
    stripe().state.createSubscription({ created: hoursAgoSeconds(1) });
    stripe().state.events.put({ ...event, livemode: 'no' as never });

    const report = await replay({ action: 'replay', from: dayAgo(), dryRun: false });

    expect(report.outcomes).toEqual({ failed: 1, processed: 1 });
    expect(report.events).toContainEqual(
      expect.objectContaining({ id: event.id, outcome: 'failed', error: expect.stringContaining('livemode') }),
    );
  });

  test('that is out of time answers with a request for the rest of the range, which misses nothing', async () => {
    const newest = hoursAgoSeconds(1);
    for (let index = 0; index < 250; index += 1) stripe().state.createSubscription({ created: newest - (index >> 1) });
    const timeIsUp = new AbortController();
    const { call } = work();
    let calls = 0;
    const report = await replay(
      { action: 'replay', from: dayAgo(), dryRun: false },
      {
        stop: timeIsUp.signal,
        call: (request) => {
          calls += 1;
          // Each of the lists by type answers once; the second page of the list that has one does not arrive in time.
          if (stripe().requests.filter(({ query }) => query.includes('starting_after')).length === 0 && calls < 5) {
            return call(request);
          }
          timeIsUp.abort();
          return new Promise(() => undefined);
        },
      },
    );

    expect(report.outcomes.processed).toBeLessThan(250);
    if (report.next?.action !== 'replay') throw new Error('expected a request that continues');
    expect(report.next.dryRun).toBe(false);
    await replay(report.next);
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 250 }]);
  });
});

describe('a retry', () => {
  test('applies a failed event from the ledger, without a call to Stripe', async () => {
    const { failed } = await createThree();

    expect(await replay({ action: 'retry', events: [failed.id], dryRun: false })).toMatchObject({
      outcomes: { processed: 1 },
    });
    expect(stripe().requests).toEqual([]);
    expect(await rows(`SELECT status, error, attempts FROM billing.webhook_events WHERE id = '${failed.id}'`)).toEqual([
      { status: 'processed', error: null, attempts: 4 },
    ]);
  });

  test('fetches what the ledger lacks, skips what was processed, and reports what Stripe does not have', async () => {
    const { received, missing } = await createThree();
    const events = [received.id, missing.id, 'evt_unknown'];

    const report = await replay({ action: 'retry', events, dryRun: false });

    expect(report.outcomes).toEqual({ alreadyProcessed: 1, processed: 1, notFound: 1 });
    expect(await rows('SELECT count(*)::int FROM billing.subscriptions')).toEqual([{ count: 2 }]);
  });

  test('fetches an event that could not be stored when it arrived', async () => {
    const { failed } = await createThree();
    await client().query(`UPDATE billing.webhook_events SET payload = '{}' WHERE id = $1`, [failed.id]);

    expect(await replay({ action: 'retry', events: 'failed', dryRun: false })).toMatchObject({
      outcomes: { processed: 1 },
    });
    expect(stripe().requests).toHaveLength(1);
  });

  test('tries every failed event once, and reports why one fails again', async () => {
    const { state } = stripe();
    const { object } = state.createSubscription();
    for (let index = 0; index < 150; index += 1) {
      const { event } = state.updateSubscription(object.id, { currency: index === 70 ? 'euro' : 'usd' });
      await client().query(
        `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
         VALUES ($1, $2, false, 'webhook', 'failed', 1, 'it was refused', now(), now(), $3)`,
        [event.id, event.type, event],
      );
    }

    const report = await replay({ action: 'retry', events: 'failed', dryRun: false });

    expect(report).toMatchObject({ checked: 150, outcomes: { processed: 149, failed: 1 } });
    expect(report.events.filter(({ outcome }) => outcome === 'failed')).toEqual([
      expect.objectContaining({ error: 'subscription.currency: expected an ISO 4217 currency' }),
    ]);
  });

  test('that is dry names what it would apply, and applies nothing', async () => {
    const { failed } = await createThree();

    expect(await replay({ action: 'retry', events: 'failed' })).toMatchObject({
      dryRun: true,
      events: [{ id: failed.id, outcome: 'wouldApply' }],
    });
    expect(await rows(`SELECT status FROM billing.webhook_events WHERE id = '${failed.id}'`)).toEqual([
      { status: 'failed' },
    ]);
  });

  test('that is dry applies the events and takes it back, so that it says what would fail, and why', async () => {
    const { failed } = await createThree();
    const unreadable = stripe().state.updateSubscription(stripe().state.createSubscription().object.id, {
      currency: 'euro',
    }).event;
    // The database refuses it, not this code.
    const refused = { ...unreadable, id: 'evt_refused', data: { object: { ...failed.data.object, created: 0 } } };
    await client().query(`ALTER TABLE billing.subscriptions ADD CHECK (created_at > '1971-01-01')`);

    const before = await ledger();
    for (const [id, event] of [
      ['evt_unreadable', unreadable],
      ['evt_refused', refused],
    ] as const) {
      await client().query(
        `INSERT INTO billing.webhook_events (id, type, livemode, source, status, attempts, error, occurred_at, received_at, payload)
         VALUES ($1, $2, false, 'webhook', 'failed', 1, 'it was refused', now(), now(), $3)`,
        [id, event.type, { ...event, id }],
      );
    }

    const { events } = await replay({ action: 'retry', events: 'failed' });
    expect(Object.fromEntries(events.map(({ id, outcome, error }) => [id, [outcome, error]]))).toEqual({
      [failed.id]: ['wouldApply', undefined],
      evt_refused: ['failed', expect.stringContaining('violates check constraint')],
      evt_unreadable: ['failed', 'subscription.currency: expected an ISO 4217 currency'],
    });
    expect((await ledger()).length).toBe(before.length + 2);
    expect(await rows('SELECT id FROM billing.subscriptions')).toHaveLength(1);
    expect(
      await rows(`SELECT DISTINCT attempts FROM billing.webhook_events WHERE status = 'failed' ORDER BY 1`),
    ).toEqual([{ attempts: 1 }, { attempts: 3 }]);
  });

  test('applies an event that was ignored once the platform acts on its type', async () => {
    const { failed } = await createThree();
    await client().query(
      `UPDATE billing.webhook_events SET status = 'ignored', error = NULL, processed_at = now() WHERE id = $1`,
      [failed.id],
    );

    expect(await replay({ action: 'retry', events: [failed.id], dryRun: false })).toMatchObject({
      outcomes: { processed: 1 },
    });
  });

  test('that is out of time answers with a request that continues after the last event', async () => {
    await createThree();
    const request = { action: 'retry', events: 'failed', after: 'evt_0', dryRun: false } as const;

    expect(await replay(request, { stop: AbortSignal.abort() })).toMatchObject({ checked: 0, next: request });
  });
});

describe('a dismissal', () => {
  const dismissal = { action: 'dismiss', reason: 'made by a test of the endpoint', by: 'ada' } as const;

  test('closes failed events for good, and keeps who did it, when and why', async () => {
    const { received, failed } = await createThree();
    const events = [failed.id, received.id, 'evt_unknown'];
    const report = await replay({ ...dismissal, events, dryRun: false });

    expect(report.outcomes).toEqual({ dismissed: 1, alreadyProcessed: 1, notFound: 1 });
    expect(
      await rows(`SELECT status, error, dismissed_by, dismissal_reason, now() - processed_at < interval '1 minute' AS now
                  FROM billing.webhook_events WHERE id = '${failed.id}'`),
    ).toEqual([
      {
        status: 'dismissed',
        error: 'it was refused',
        dismissed_by: 'ada',
        dismissal_reason: 'made by a test of the endpoint',
        now: true,
      },
    ]);
    const again = { events: [failed.id], dryRun: false } as const;
    expect((await replay({ action: 'retry', ...again })).outcomes).toEqual({ dismissed: 1 });
    expect((await replay({ action: 'retry', events: 'failed', dryRun: false })).checked).toBe(0);
    expect((await replay({ action: 'replay', from: dayAgo(), dryRun: false })).outcomes).toMatchObject({
      dismissed: 1,
    });
    await deliver({ event: failed });
    expect(await rows(`SELECT status FROM billing.webhook_events WHERE id = '${failed.id}'`)).toEqual([
      { status: 'dismissed' },
    ]);
  });

  test('that is dry names the events that are open, with their errors, and changes nothing', async () => {
    const { failed } = await createThree();

    expect(await replay({ ...dismissal, events: [failed.id] })).toMatchObject({
      dryRun: true,
      events: [{ id: failed.id, outcome: 'wouldDismiss', error: 'it was refused' }],
    });
    expect(await rows(`SELECT status FROM billing.webhook_events WHERE id = '${failed.id}'`)).toEqual([
      { status: 'failed' },
    ]);
  });
});
