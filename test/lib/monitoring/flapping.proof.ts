import { flap, FLAPPING, MOST_PAGES, RHYTHMS, WAITING } from './truth/flapping';

/** A fault that comes and goes all night. Each alarm is raised as M of N periods say; the page is not sent each time. */

test.each([...FLAPPING, ...WAITING])(
  '%s pages at most thirty times in a night in which its fault comes and goes',
  (name) => {
    const nights = RHYTHMS.map((rhythm) => flap(name, rhythm));
    expect(Math.max(...nights.map(({ pages }) => pages))).toBeLessThanOrEqual(MOST_PAGES);
    // What is raised at all is paged once at least, where nothing has to be waited for.
    const silent = nights.filter(({ raised, pages }) => raised > 0 && pages === 0);
    expect(WAITING.some((one) => one === name) ? [] : silent).toEqual([]);
  },
);
