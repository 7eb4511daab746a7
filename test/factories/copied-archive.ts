import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { DatabaseName } from '../../core/contract';
import { manifestKey, partKey, signatureKey } from '../../core/archive/keys';
import { normaliseSlot } from '../../core/archive/slot';
import type { ManifestKey } from '../../core/archive/manifest-key';

const ATTEMPT = 'attempt-1';

/** The keys of an archive that was planted. */
export interface PlantedArchive {
  readonly slot: string;
  readonly manifest: string;
  readonly signature: string;
  readonly part: string;
}

/** Writes an archive of one table as a bucket of copies has it, with nothing in it that could be restored. */
export async function plantArchive(
  s3: S3Client,
  bucket: string,
  database: DatabaseName,
  startedAt: Date,
  key: Pick<ManifestKey, 'sign'>,
): Promise<PlantedArchive> {
  const slot = normaliseSlot(startedAt);
  const rows = Buffer.from('1\tone\n');
  const part = partKey(database, slot, ATTEMPT, { schema: 'public', name: 'things' }, 0);
  const manifest = Buffer.from(
    JSON.stringify({
      database,
      slot,
      attempt: ATTEMPT,
      startedAt: startedAt.toISOString(),
      rows: 1,
      compressedBytes: rows.length,
      tables: [{ parts: [{ key: part, compressedBytes: rows.length }] }],
    }),
  );
  const planted = {
    slot,
    manifest: manifestKey(database, slot),
    signature: signatureKey(database, slot, ATTEMPT),
    part,
  };
  for (const [Key, Body] of [
    [part, rows],
    [planted.signature, await key.sign(manifest)],
    [planted.manifest, manifest],
  ] as const) {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
  }
  return planted;
}
