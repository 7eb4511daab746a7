import { flap, FLAPPING, MOST_PAGES, NIGHT, RHYTHMS, SLOW } from './truth/flapping';

/** A fault that comes and goes all night. Each alarm is raised as M of N periods say; the page is not sent each time. */

test.each([...FLAPPING, SLOW])(
  '%s pages once at least, and thirty times at most, in a night in which its fault comes and goes',
  (name) => {
    const nights = RHYTHMS.map((rhythm) => flap(name, rhythm));
    expect(Math.max(...nights.map(({ pages }) => pages))).toBeLessThanOrEqual(MOST_PAGES);
    expect(nights.filter(({ raised, pages }) => raised > 0 && pages === 0)).toEqual([]);
  },
);

test.each(['webhookFailures', 'apiFailed', 'canaryFailed'])(
  '%s pages for no single failure of ten minutes, which is over before its cause is known',
  (name) => {
    expect(flap(name, [10, NIGHT]).pages).toBe(0);
  },
);
