import type Stripe from 'stripe';
import type { CallStripe } from '../../../../core/providers/stripe/paced-caller';
import { pagesOf, type Lane, type LanePage, type ListPage } from '../../../../core/providers/stripe/pages';

type Thing = { id: string };

const NEVER = new AbortController().signal;

/** A response as the library returns it. */
function answer<T extends object>(value: T): Stripe.Response<T> {
  return { ...value, lastResponse: { headers: {} } } as Stripe.Response<T>;
}

/** A list of `count` things in pages of two; `requested` records every request. */
function listOf(count: number, requested: string[]): ListPage<Thing> {
  return async (lane, { starting_after: after }) => {
    const name = lane.types?.[0] ?? 'all';
    requested.push(`${name} after ${after ?? 'nothing'}`);
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

test('the next page is requested while the caller works on the current one, and no further page is', async () => {
  const requested: string[] = [];
  const pages = pagesOf(straight, listOf(6, requested), [{}], NEVER);

  await pages.next();
  await new Promise((resolve) => setImmediate(resolve));

  expect(requested).toEqual(['all after nothing', 'all after all_1']);
  await pages.return(undefined);
});

test('every lane is read to its end, each object once', async () => {
  const lanes: Lane[] = [{ types: ['a'] }, { types: ['b'] }];
  const read = await readAll(pagesOf(straight, listOf(5, []), lanes, NEVER));

  expect(read.flatMap(({ objects }) => objects.map(({ id }) => id)).toSorted()).toEqual(
    ['a', 'b'].flatMap((lane) => [0, 1, 2, 3, 4].map((number) => `${lane}_${number}`)),
  );
});

test('a saved lane continues after its last object, and a finished lane is not requested', async () => {
  const requested: string[] = [];
  const [page] = await readAll(
    pagesOf(straight, listOf(4, requested), [{ after: 'all_1' }, { types: ['b'], done: true }], NEVER),
  );

  expect(requested).toEqual(['all after all_1']);
  expect(page?.next).toEqual({ after: 'all_3', done: true });
});

test('pages end at once when the time is up, even if Stripe never answers', async () => {
  const timeIsUp = new AbortController();
  const reading = readAll(pagesOf(() => new Promise(() => undefined), listOf(4, []), [{}], timeIsUp.signal));
  timeIsUp.abort();

  expect(await reading).toEqual([]);
});

test('a failed call ends the pages with its error, after the pages before it', async () => {
  let calls = 0;
  const failing: CallStripe = async (call) => {
    calls += 1;
    if (calls === 2) throw new Error('Stripe is down');
    return { value: await call(), requestedAtSeconds: 1 };
  };
  const pages = pagesOf(failing, listOf(6, []), [{}], NEVER);

  expect((await pages.next()).value).toMatchObject({ objects: [{ id: 'all_0' }, { id: 'all_1' }] });
  await expect(pages.next()).rejects.toThrow('Stripe is down');
});
