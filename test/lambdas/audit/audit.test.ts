import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { audit, type AuditDependencies } from '../../../lambdas/audit/core';
import { createBucket, objectStore } from '../../support/object-store';

let s3: S3Client;
let bucket: string;
let now: Date;
let dependencies: AuditDependencies;
beforeEach(async () => {
  s3 = objectStore();
  bucket = await createBucket(s3);
  now = new Date('2026-11-21T06:15:00Z');
  dependencies = { store: { s3, bucket }, clock: () => now };
});

const WHO = 'arn:aws:iam::111111111111:user/ann';

async function begin(command: string): Promise<string> {
  const report = await audit(dependencies, { action: 'begin', who: WHO, command });
  return report.action === 'begin' ? report.id : '';
}

const list = (days = 7, limit = 50) => audit(dependencies, { action: 'list', days, limit });

test('an action is listed with its end, the newest first; one without an end has none', async () => {
  const first = await begin('ops backup billing');
  now = new Date('2026-11-21T06:16:00Z');
  await audit(dependencies, { action: 'finish', id: first, result: 'failed', message: 'S3 is away' });
  now = new Date('2026-11-22T07:00:00Z');
  const second = await begin('ops reconcile');

  expect(await list()).toEqual({
    action: 'list',
    actions: [
      {
        id: second,
        begunAt: '2026-11-22T07:00:00.000Z',
        who: WHO,
        command: 'ops reconcile',
        finishedAt: null,
        result: null,
        message: null,
      },
      {
        id: first,
        begunAt: '2026-11-21T06:15:00.000Z',
        who: WHO,
        command: 'ops backup billing',
        finishedAt: '2026-11-21T06:16:00.000Z',
        result: 'failed',
        message: 'S3 is away',
      },
    ],
  });
  expect(await list(1)).toMatchObject({ actions: [{ id: second }] });
  expect(await list(7, 1)).toMatchObject({ actions: [{ id: second }] });
});

test('actions of a time that is past are listed from its end, whatever was done since', async () => {
  const first = await begin('ops backup billing');
  now = new Date('2026-11-21T06:20:00Z');
  await begin('ops reconcile');
  now = new Date('2026-12-24T00:00:00Z');
  await begin('ops drill main');
  const until = '2026-11-21T06:20:00.000Z';
  expect(await audit(dependencies, { action: 'list', days: 2, until, limit: 1 })).toMatchObject({
    actions: [{ id: first, command: 'ops backup billing' }],
  });
});

test('a record is written under a lock of a year, in a folder of its day', async () => {
  const sent: object[] = [];
  s3.middlewareStack.add(
    (next) => (command) => {
      sent.push(command.input);
      return next(command);
    },
    { step: 'initialize' },
  );
  const id = await begin('ops backup billing');

  expect(sent).toEqual([
    expect.objectContaining({
      Key: `audit/2026/11/21/${id}/begin.json`,
      ObjectLockMode: 'GOVERNANCE',
      ObjectLockRetainUntilDate: new Date('2027-11-22T06:15:00Z'),
      IfNoneMatch: '*',
    }),
  ]);
  const object = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: `audit/2026/11/21/${id}/begin.json` }));
  expect(JSON.parse((await object.Body?.transformToString()) ?? '')).toEqual({
    begunAt: '2026-11-21T06:15:00.000Z',
    who: WHO,
    command: 'ops backup billing',
  });
});

test('two actions of one second have records of their own', async () => {
  expect(await begin('ops drill billing')).not.toBe(await begin('ops drill main'));
  expect(await list()).toMatchObject({ actions: { length: 2 } });
});
