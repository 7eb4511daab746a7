import { runAnswered } from './run-answered';

const since = new Date(Date.now() - 3_600_000).toISOString();
const STATUS = {
  action: 'status',
  at: new Date().toISOString(),
  databases: [],
  events: null,
  queues: null,
  reconciliation: null,
  money: null,
  secrets: [],
  problems: [],
};
const FOUND = /1 erasure not finished, begun .+ ago\)/;
const FIX = 'unless one runs, docs/erasure.md#when-it-is-half-done';

const ops = (line: string, answer: object) => runAnswered([...line.split(' '), '--env', 'dev'], answer);

test('an erasure that is not finished is a finding of the status', async () => {
  const { status, stdout } = await ops('status', { ...STATUS, erasures: { open: 1, since } });
  expect([status, stdout]).toEqual([1, expect.stringMatching(new RegExp(`^${FOUND.source}: ${FIX}$`, 'm'))]);
  expect(await ops('status', STATUS)).toMatchObject({ status: 0, stdout: expect.not.stringContaining('erasure') });
});

test('and of the doctor', async () => {
  const checksOf = async (answer: object) =>
    (JSON.parse((await ops('doctor --quick --json', answer)).stdout) as { check: string }[]).filter(
      ({ check }) => check === 'erasures',
    );
  expect(await checksOf({ ...STATUS, erasures: { open: 1, since } })).toEqual([
    { check: 'erasures', state: 'wrong', detail: expect.stringMatching(FOUND), fix: FIX },
  ]);
  expect(await checksOf(STATUS)).toEqual([]);
});
