import { DATABASE_NAMES } from '../../../core/contract';
import { flap, FLAPPING, FORGOTTEN, MOST_PAGES, NIGHT, recur, RHYTHMS, SLOW } from './truth/flapping';

/** A fault that comes and goes all night. Each alarm is raised as M of N periods say; the page is not sent each time. */

test.each([...FLAPPING, SLOW])(
  '%s pages once at least, and nine times at most, in a night in which its fault comes and goes',
  (name) => {
    const nights = RHYTHMS.map((rhythm) => flap(name, rhythm));
    expect(Math.max(...[...nights, flap(name, FORGOTTEN)].map(({ pages }) => pages))).toBeLessThanOrEqual(MOST_PAGES);
    expect(nights.filter(({ raised, pages }) => raised > 0 && pages === 0)).toEqual([]);
  },
);

/** What waits for a cause for longer than a return may last. */
const WAITING = ['webhookFailures', 'apiFailed', 'canaryFailed'];

test.each(WAITING)('%s pages for no single failure of ten minutes, which is over before its cause is known', (name) => {
  expect(flap(name, [10, NIGHT]).pages).toBe(0);
});

test('memory that is short for three minutes of eight pages, although it is never raised for as long as its page waits', () => {
  expect(flap('databaseMemory', [3, 5]).pages).toBe(1);
});

/** Minutes that a fault lasts here. */
const LASTING = 70;

test.each(FLAPPING)(
  '%s pages for a fault that lasts, and as soon for another that begins when the last one is forgotten',
  (name) => {
    const start = LASTING + (WAITING.includes(name) ? 85 : 70);
    const { pages } = recur(name, [
      [0, LASTING],
      [start, start + LASTING],
    ]);
    expect(pages).toHaveLength(2);
    expect((pages[1] ?? 0) - start).toBeLessThanOrEqual((pages[0] ?? 0) + 1);
  },
);

test.each([...DATABASE_NAMES.map((database) => `databaseUnreachable-${database}`), 'collectorMissing'])(
  '%s pages as soon after a single run that failed as without it',
  (name) => {
    const start = 90;
    const [alone] = recur(name, [[start, start + LASTING]]).pages;
    const { pages } = recur(name, [
      [5, 8],
      [65, 68],
      [start, start + LASTING],
    ]);
    expect(pages).toEqual([alone]);
  },
);
