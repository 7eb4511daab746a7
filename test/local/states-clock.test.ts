import { impatientClock } from '../../local/states/clock';

const waited: number[] = [];
jest.mock('node:timers/promises', () => ({
  setTimeout: async (milliseconds: number) => waited.push(milliseconds),
}));

test('waits of a state machine are short at first, and never longer than asked for', async () => {
  const clock = impatientClock(1_000, new AbortController().signal);
  for (const asked of [30_000, 30_000, 7, 30_000, 30_000, 30_000, 30_000]) await clock.wait(asked);
  expect(waited).toEqual([20, 40, 7, 160, 320, 640, 1_000]);
});
