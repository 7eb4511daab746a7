import { DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { ErasureHook } from '../../core/erasure/contract';
import { erasePerson, replayAt } from '../../lambdas/erasure/core';
import { createErasureSite, type ErasureSite, HOOKS } from '../factories/erasure-site';
import { plantedPerson } from '../factories/planted-person';

const SLOT = '2026-11-20T06:00:00Z';

let site: ErasureSite;
beforeEach(async () => {
  site = await createErasureSite();
});
afterEach(() => site.remove());

test('a second person of a table with a UNIQUE address is erased as well, and main restores; a hook that a foreign key refuses is found before', async () => {
  await site.main.backup(SLOT);
  const application = await site.main.source.client();
  const other = { action: 'erase', subject: { user: plantedPerson('other').userId } } as const;
  const typed = { confirm: other.subject.user };
  const keyed: ErasureHook = {
    schema: 'people',
    table: 'invoices',
    userColumn: 'user_id',
    column: 'user_id',
    treatment: 'pseudonymise',
  };
  const refused = site.dependencies({ hooks: [...HOOKS, keyed] });
  await application.query('INSERT INTO people.invoices VALUES (1, $1)', [typed.confirm]);
  await expect(erasePerson(refused, { ...other, typed })).rejects.toMatchObject({
    code: 'hooks_invalid',
    message: expect.stringContaining(
      'people.invoices.user_id cannot be made pseudonymise, because its foreign key',
    ) as string,
  });
  expect((await erasePerson(refused, other)).hookProblems).toHaveLength(1);
  expect((await site.ledger().read()).entries).toEqual([]);

  await site.erase();
  expect(await erasePerson(site.dependencies(), { ...other, typed })).toMatchObject({ continueFrom: null });
  const { targetDatabase } = await site.main.restore(SLOT, { erasures: site.replayed(), log: site.log });
  const restored = await site.main.source.connector.connect(targetDatabase);
  for (const client of [application, restored]) {
    const { rows } = await client.query<{ email: string }>('SELECT email FROM people.users');
    expect(new Set(rows.filter(({ email }) => /^erased-[0-9a-f]{20}$/.test(email))).size).toBe(2);
  }
  await restored.end();
});

test('a ledger that lacks an erasure which the database knows stops a restore, a replay and another erasure', async () => {
  await site.erase();
  await site.billing.backup(SLOT);
  const { s3, bucket } = site.billing.store;
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'erasures/' }));
  for (const { Key } of Contents) await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
  const refused = {
    code: 'erasure_ledger_unreadable',
    message: expect.stringMatching(
      /^The ledger lacks erasure \d{8}T\d{9}Z-[0-9a-f]{8}, which the database knows/,
    ) as string,
  };
  await expect(site.billing.restore(SLOT, { erasures: site.replayed(), log: site.log })).rejects.toMatchObject(refused);
  expect(await site.billing.leftovers()).toEqual([]);
  const { directory: migrationsDirectory } = site.billing.migrations;
  await expect(
    replayAt(site.billing.source.connector, { ...site.replayed(), migrationsDirectory }, { dryRun: false }),
  ).rejects.toMatchObject(refused);
  const subject = { user: plantedPerson('other').userId };
  await expect(
    erasePerson(site.dependencies(), { action: 'erase', subject, typed: { confirm: subject.user } }),
  ).rejects.toMatchObject(refused);
});
