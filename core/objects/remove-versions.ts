import type { ListObjectVersionsCommandOutput, S3Client } from '@aws-sdk/client-s3';

/** Where versions are removed. */
interface Place {
  readonly s3: S3Client;
  readonly bucket: string;
  /** @default every object of the bucket */
  readonly prefix?: string;
}

/**
 * Removes every version and every delete marker of objects for good, page by page. Repeated, it continues: what was removed is not
 * listed any more.
 *
 * @param endsLocks also removes what is locked in governance mode, which takes `s3:BypassGovernanceRetention`. @default false
 * @returns how many; a server without versions, such as that of `npm start`, lists none
 * @throws Error naming the first object that S3 did not remove, and why, or when a page that is not the last names no next one; and
 * what the client throws
 */
export async function removeVersions(
  { s3, bucket, prefix }: Place,
  { endsLocks = false }: { readonly endsLocks?: boolean } = {},
): Promise<number> {
  const { DeleteObjectsCommand, ListObjectVersionsCommand } = await import('@aws-sdk/client-s3');
  let removed = 0;
  let marker: { KeyMarker?: string; VersionIdMarker?: string | undefined } = {};
  for (;;) {
    const page: ListObjectVersionsCommandOutput = await s3.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...marker }),
    );
    // A page holds as many as S3 deletes in one call.
    const listed = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    if (listed.length > 0) {
      const Objects = listed.map(({ Key, VersionId }) => ({ Key, VersionId }));
      const { Errors: [refused] = [] } = await s3.send(
        new DeleteObjectsCommand({
          Bucket: bucket,
          ...(endsLocks ? { BypassGovernanceRetention: true } : {}),
          Delete: { Objects, Quiet: true },
        }),
      );
      if (refused) throw new Error(`${bucket}: ${refused.Key} was not deleted: ${refused.Message ?? refused.Code}`);
      removed += listed.length;
    }
    if (page.IsTruncated !== true) return removed;
    // Taken as the last, versions behind it would stay.
    if (page.NextKeyMarker === undefined) {
      throw new Error(`${bucket}: a page of versions that is not the last names no next one`);
    }
    marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}
