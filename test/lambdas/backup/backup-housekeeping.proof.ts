import { DeleteObjectsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { type HousekeepingDependencies, runHousekeeping } from '../../../lambdas/backup/housekeeping';
import { type ArchiveSite, createArchiveSite, listKeys, manifestAt } from '../../factories/archive';
import { silentLog } from '../../support/log';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const SLOTS = ['2026-11-20T06:00:00Z', '2026-11-20T12:00:00Z', '2026-11-20T18:00:00Z'] as const;

let site: ArchiveSite;

beforeEach(async () => {
  site = await createArchiveSite('main');
});

afterEach(async () => {
  await site.remove();
});

/** Clocks that agree, ahead of that of S3, which dates the objects. */
function ahead(ms: number): Pick<HousekeepingDependencies, 'clock' | 'otherClocks'> {
  const clock = (): Date => new Date(Date.now() + ms);
  return { clock, otherClocks: async () => [clock()] };
}

async function archivedSlots(): Promise<string[]> {
  const keys = await listKeys(site.store);
  return keys.flatMap((key) => /^archives\/main\/(\w+)\/manifest\.json$/.exec(key)?.[1] ?? []).toSorted();
}

function put(key: string): Promise<unknown> {
  return site.store.s3.send(new PutObjectCommand({ Bucket: site.store.bucket, Key: key, Body: 'rows' }));
}

describe('housekeeping', () => {
  test('removes archives past their retention, with all of their objects', async () => {
    await site.backup(SLOTS[0]);
    await site.backup(SLOTS[1]);
    const report = await site.backup('2027-03-01T06:00:00Z', { retentionDays: 30, ...ahead(31 * DAY_MS) });
    expect(report).toMatchObject({ outcome: 'created', expiredArchives: 2, housekeepingFailed: false });
    const keys = await listKeys(site.store);
    expect(keys.filter((key) => !key.startsWith('archives/main/20270301T060000Z/'))).toEqual([]);
    expect(await site.drill()).toMatchObject({ kept: false });
  });

  test('keeps archives within their retention', async () => {
    await site.backup(SLOTS[0]);
    const report = await site.backup(SLOTS[1], { retentionDays: 30, ...ahead(29 * DAY_MS) });
    expect(report.expiredArchives).toBe(0);
    expect(await archivedSlots()).toEqual(['20261120T060000Z', '20261120T120000Z']);
  });

  test('believes no clock that is 40 days ahead of those of S3 and of the server, and says so', async () => {
    await site.backup(SLOTS[0]);
    await site.backup(SLOTS[1]);
    const error = jest.fn();
    const { clock } = ahead(40 * DAY_MS);
    const report = await site.backup(SLOTS[2], { retentionDays: 30, clock, log: { ...silentLog, error } });
    expect(report).toMatchObject({ outcome: 'created', expiredArchives: 0, housekeepingFailed: true });
    expect(await archivedSlots()).toHaveLength(3);
    expect(JSON.stringify(error.mock.calls)).toContain('the clocks differ');
  });

  test('never removes the last good archive, however old it is', async () => {
    await site.backup(SLOTS[0]);
    await site.backup(SLOTS[1]);
    await put('archives/main/20261120T180000Z/attempt-that-died/main.users/00000.copy.zst');
    const dependencies = { store: site.store, retentionDays: 30, log: silentLog, ...ahead(400 * DAY_MS) };
    const done = { housekeepingFailed: false };
    expect(await runHousekeeping(dependencies, 'main')).toEqual({ expiredArchives: 1, sweptLeftovers: 1, ...done });
    expect(await runHousekeeping(dependencies, 'main')).toEqual({ expiredArchives: 0, sweptLeftovers: 0, ...done });
    expect(await site.restore()).toMatchObject({ slot: SLOTS[1] });
  });

  test('does not run after a failed backup, because the existing archives may be the last ones', async () => {
    await site.backup(SLOTS[0]);
    await site.backup(SLOTS[1]);
    site.store.s3.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === PutObjectCommand.name) throw new Error('S3 is down');
        return next(args);
      },
      { step: 'initialize' },
    );
    await expect(site.backup(SLOTS[2], { retentionDays: 30, ...ahead(400 * DAY_MS) })).rejects.toThrow('S3 is down');
    expect(await archivedSlots()).toEqual(['20261120T060000Z', '20261120T120000Z']);
  });

  test('keeps the newest archive after a backup for an older slot', async () => {
    await site.backup(SLOTS[2]);
    await site.backup(SLOTS[0], { retentionDays: 30, ...ahead(31 * DAY_MS) });
    expect(await archivedSlots()).toContain('20261120T180000Z');
  });

  test('that is interrupted after the manifest leaves no archive with missing parts, and the next run completes it', async () => {
    await site.backup(SLOTS[0]);
    let removals = 0;
    site.store.s3.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === DeleteObjectsCommand.name) {
          removals += 1;
          if (removals > 1) throw new Error('connection reset by S3');
        }
        return next(args);
      },
      { step: 'initialize', name: 'failing-s3' },
    );
    const interrupted = await site.backup('2027-03-01T06:00:00Z', { retentionDays: 30, ...ahead(31 * DAY_MS) });
    // The archive is good, so the run succeeds and reports the failed housekeeping.
    expect(interrupted).toMatchObject({ outcome: 'created', housekeepingFailed: true });
    expect(await archivedSlots()).toEqual(['20270301T060000Z']);
    site.store.s3.middlewareStack.remove('failing-s3');

    const next = await site.backup('2027-03-02T06:00:00Z', { retentionDays: 30, ...ahead(31 * DAY_MS) });
    expect(next.sweptLeftovers).toBeGreaterThan(0);
    expect((await listKeys(site.store)).filter((key) => key.includes('20261120T060000Z'))).toEqual([]);
  });
});

describe('leftovers', () => {
  test('of unfinished attempts are removed once their run must have ended, and archives stay', async () => {
    const first = await site.backup(SLOTS[0]);
    const { attempt } = await manifestAt(site.store, first.manifestKey);
    const archived = await listKeys(site.store);
    const besideAnArchive = 'archives/main/20261120T060000Z/attempt-that-lost/main.users/00000.copy.zst';
    const withoutOne = 'archives/main/20261120T120000Z/attempt-that-died/main.users/00000.copy.zst';
    const foreign = ['archives/billing/20261120T060000Z/other/a.b/00000.copy.zst', 'archives/main/notes/by-hand.txt'];
    for (const key of [besideAnArchive, withoutOne, ...foreign]) await put(key);

    // Too early: those attempts may still be running.
    expect(await site.backup(SLOTS[1])).toMatchObject({ sweptLeftovers: 0 });
    expect(await listKeys(site.store)).toEqual(expect.arrayContaining([besideAnArchive, withoutOne]));

    expect(await site.backup(SLOTS[2], ahead(2 * HOUR_MS))).toMatchObject({ sweptLeftovers: 2 });
    const keys = await listKeys(site.store);
    expect(keys).not.toContain(besideAnArchive);
    expect(keys).not.toContain(withoutOne);
    expect(keys).toEqual(expect.arrayContaining([...archived, ...foreign]));
    expect(keys.some((key) => key.includes(attempt))).toBe(true);
    expect(await site.restore(SLOTS[0])).toMatchObject({ slot: SLOTS[0] });
  });
});
