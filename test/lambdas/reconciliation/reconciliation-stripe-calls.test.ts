import Stripe from 'stripe';
import { pacedCaller, type CallStripe } from '../../../core/providers/stripe/paced-caller';
import { pagesOf, type Lane, type LanePage, type ListPage } from '../../../core/providers/stripe/pages';

type Thing = { id: string };

const NEVER = new AbortController().signal;

/** An answer as the library gives it. */
function answer<T extends object>(value: T): Stripe.Response<T> {
  return { ...value, lastResponse: { headers: {} } } as Stripe.Response<T>;
}

/** `count` things in pages of two; `asked` notes every request. */
function listOf(count: number, asked: string[]): ListPage<Thing> {
  return async (lane, { starting_after: after }) => {
    const name = lane.types?.[0] ?? 'all';
    asked.push(`${name} after ${after ?? 'nothing'}`);
    const first = after === undefined ? 0 : Number(after.split('_')[1]) + 1;
    const data = [first, first + 1].filter((number) => number < count).map((number) => ({ id: `${name}_${number}` }));
    return answer({ object: 'list' as const, data, has_more: first + 2 < count, url: '' });
  };
}

const straight: CallStripe = async (call) => ({ value: await call(), requestedAtSeconds: 1 });

async function readAll(pages: AsyncGenerator<LanePage<Thing>>): Promise<LanePage<Thing>[]> {
  const read: LanePage<Thing>[] = [];
  for await (const page of pages) read.push(page);
  return read;
}

describe('pages', () => {
  test('the next page is asked for before the one at hand is dealt with, and only that one', async () => {
    const asked: string[] = [];
    const pages = pagesOf(straight, listOf(6, asked), [{}], NEVER);

    await pages.next();
    await new Promise((resolve) => setImmediate(resolve));

    expect(asked).toEqual(['all after nothing', 'all after all_1']);
    await pages.return(undefined);
  });

  test('every lane is read to its end, each object once', async () => {
    const lanes: Lane[] = [{ types: ['a'] }, { types: ['b'] }];
    const read = await readAll(pagesOf(straight, listOf(5, []), lanes, NEVER));

    expect(read.flatMap(({ objects }) => objects.map(({ id }) => id)).toSorted()).toEqual(
      ['a', 'b'].flatMap((lane) => [0, 1, 2, 3, 4].map((number) => `${lane}_${number}`)),
    );
  });

  test('a saved lane goes on after its last object, and one that is done is not asked for', async () => {
    const asked: string[] = [];
    const [page] = await readAll(
      pagesOf(straight, listOf(4, asked), [{ after: 'all_1' }, { types: ['b'], done: true }], NEVER),
    );

    expect(asked).toEqual(['all after all_1']);
    expect(page?.next).toEqual({ after: 'all_3', done: true });
  });

  test('they end at once when the time is up, though Stripe never answers', async () => {
    const timeIsUp = new AbortController();
    const reading = readAll(pagesOf(() => new Promise(() => undefined), listOf(4, []), [{}], timeIsUp.signal));
    timeIsUp.abort();

    expect(await reading).toEqual([]);
  });

  test('a failed call ends them with its error, after the pages before it', async () => {
    let calls = 0;
    const failing: CallStripe = async (call) => {
      calls += 1;
      if (calls === 2) throw new Error('Stripe is away');
      return { value: await call(), requestedAtSeconds: 1 };
    };
    const pages = pagesOf(failing, listOf(6, []), [{}], NEVER);

    expect((await pages.next()).value).toMatchObject({ objects: [{ id: 'all_0' }, { id: 'all_1' }] });
    await expect(pages.next()).rejects.toThrow('Stripe is away');
  });
});

describe('calls', () => {
  const rateLimit = (headers: Record<string, string> = {}) =>
    Object.assign(new Stripe.errors.StripeRateLimitError({ message: 'Slow down', type: 'invalid_request_error' }), {
      statusCode: 429,
      headers,
    });

  test('are no faster than the rate limit, however many are made at once', async () => {
    const call = pacedCaller({ callsPerSecond: 100, firstBackoffMs: 1 });
    const started = Date.now();

    await Promise.all(Array.from({ length: 21 }, () => call(async () => answer({}))));

    // Timers may fire a millisecond early; the twentieth interval of 10 ms ends at 200.
    expect(Date.now() - started).toBeGreaterThanOrEqual(198);
  });

  test('wait as long as Retry-After says', async () => {
    const call = pacedCaller({ callsPerSecond: 1_000, firstBackoffMs: 1 });
    const started = Date.now();
    let attempts = 0;

    await call(async () => {
      attempts += 1;
      if (attempts === 1) throw rateLimit({ 'retry-after': '0.3' });
      return answer({});
    });

    expect(Date.now() - started).toBeGreaterThanOrEqual(298);
  });

  test('made after one was told to slow down wait with it', async () => {
    const call = pacedCaller({ callsPerSecond: 1_000, firstBackoffMs: 1 });
    let limited = false;
    const first = call(async () => {
      if (limited) return answer({});
      limited = true;
      throw rateLimit({ 'retry-after': '0.3' });
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const started = Date.now();

    await call(async () => answer({}));
    await first;

    expect(Date.now() - started).toBeGreaterThanOrEqual(200);
  });

  test('that nobody waits for any more are not repeated', async () => {
    const ended = new AbortController();
    const call = pacedCaller({ firstBackoffMs: 60_000, ended: ended.signal });
    let attempts = 0;
    const repeated = call(async () => {
      attempts += 1;
      throw new Stripe.errors.StripeConnectionError({ message: 'Nobody there', type: 'api_error' });
    });
    ended.abort();

    await expect(repeated).rejects.toMatchObject({ name: 'AbortError' });
    expect(attempts).toBe(1);
  });

  test('are given up after six attempts as worth repeating later', async () => {
    const call = pacedCaller({ callsPerSecond: 10_000, firstBackoffMs: 1 });
    let attempts = 0;

    const refused = call(async () => {
      attempts += 1;
      throw rateLimit();
    });

    await expect(refused).rejects.toMatchObject({ code: 'stripe_unavailable', retryable: true });
    expect(attempts).toBe(6);
  });
});
