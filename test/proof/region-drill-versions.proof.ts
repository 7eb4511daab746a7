import { DeleteObjectCommand, ListObjectVersionsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { ERASURE_PREFIX } from '../../core/erasure/contract';
import { takeBack } from '../../ops/region-loss/drill-clean-up';
import { assertUnused } from '../../ops/region-loss/drill-data';
import { assertLatest, writeRecord } from '../../ops/region-loss/drill-record';
import { goTool, VERSITYGW } from './tools';
import { type ObjectLockServer, startVersitygw } from './versitygw';

const binary = goTool(VERSITYGW);

(binary ? describe : describe.skip)('on a server that keeps versions and enforces conditions', () => {
  let server: ObjectLockServer;
  let bucket: string;

  beforeAll(async () => {
    server = await startVersitygw(binary ?? '');
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    bucket = await server.createBucket();
  });

  test('what a drill of a lost region copied into the ledger is removed with every version', async () => {
    const made = { bucket, prefixes: [ERASURE_PREFIX], secret: { arn: 'erasures', version: 'drill', previous: 'own' } };
    const Key = `${ERASURE_PREFIX}20260101T000000000Z-cc.json`;
    for (const Body of ['{}', '{"again":true}'])
      await server.root.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
    await server.root.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    const stages = { VersionIdsToStages: { own: ['AWSCURRENT'] } };
    const clients = { s3: async () => server.root, secretsManager: async () => ({ send: async () => stages }) };
    expect(await takeBack(clients as never, made)).toMatch(/^1 copied object removed, its own key .* put back before$/);
    const { Versions, DeleteMarkers } = await server.root.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    expect([Versions ?? [], DeleteMarkers ?? []]).toEqual([[], []]);
  });

  test('a drill of a lost region refuses an environment with an entry of the ledger that a delete marker hides', async () => {
    const Key = `${ERASURE_PREFIX}20260101T000000000Z-cc.json`;
    await server.root.send(new PutObjectCommand({ Bucket: bucket, Key, Body: '{}' }));
    await server.root.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    const successor = { name: 'dev2', bucket, clients: { s3: async () => server.root } };
    await expect(assertUnused(successor as never, [ERASURE_PREFIX])).rejects.toMatchObject({
      exit: 'refused',
      message: expect.stringContaining(`dev2 has s3://${bucket}/${Key}`),
    });
  });

  test('of two runs of a drill that write its record, the second is refused', async () => {
    const record = { startedAt: new Date().toISOString() };
    const write = (run: string, etag?: string) => writeRecord(server.root, bucket, { ...record, run } as never, etag);
    const begun = await write('a');
    const isTaken = { exit: 'refused', message: expect.stringContaining('taken this drill over') };
    await expect(write('b')).rejects.toMatchObject(isTaken);
    await write('b', begun);
    await expect(write('a', begun)).rejects.toMatchObject(isTaken);
    // The SDK repeats a call whose answer was lost.
    const latest = await write('b', begun);
    await assertLatest(server.root, bucket, record as never, latest);
    await expect(assertLatest(server.root, bucket, record as never, begun)).rejects.toMatchObject(isTaken);
  });
});
