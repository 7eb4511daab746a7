import { DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { versionPages, type VersionsPlace } from './version-pages';

/**
 * Removes every version and every delete marker of objects for good, page by page. Repeated, it continues: what was removed is not
 * listed any more.
 *
 * @param endsLocks also removes what is locked in governance mode, which takes `s3:BypassGovernanceRetention`. @default false
 * @returns how many; a server without versions, such as that of `npm start`, lists none
 * @throws Error naming the first object that S3 did not remove, why, and what to allow, or when a page that is not the last names no next one; and
 * what the client throws
 */
export async function removeVersions(
  place: VersionsPlace,
  { endsLocks = false }: { readonly endsLocks?: boolean } = {},
): Promise<number> {
  const { s3, bucket } = place;
  let removed = 0;
  for await (const { Versions = [], DeleteMarkers = [] } of versionPages(place)) {
    const listed = [...Versions, ...DeleteMarkers];
    if (listed.length === 0) continue;
    const Objects = listed.map(({ Key, VersionId }) => ({ Key, VersionId }));
    const { Errors: [refused] = [] } = await s3.send(
      new DeleteObjectsCommand({
        Bucket: bucket,
        ...(endsLocks ? { BypassGovernanceRetention: true } : {}),
        Delete: { Objects, Quiet: true },
      }),
    );
    if (refused) {
      const needed = `s3:DeleteObjectVersion${endsLocks ? ' and s3:BypassGovernanceRetention' : ''}`;
      throw new Error(
        `${bucket}: ${refused.Key} was not deleted: ${refused.Message ?? refused.Code}. Allow ${needed} there, then repeat it`,
      );
    }
    removed += listed.length;
  }
  return removed;
}
