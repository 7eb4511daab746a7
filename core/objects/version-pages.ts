import { ListObjectVersionsCommand, type ListObjectVersionsCommandOutput, type S3Client } from '@aws-sdk/client-s3';

/** Where versions are. */
export interface VersionsPlace {
  readonly s3: S3Client;
  readonly bucket: string;
  /** @default every object of the bucket */
  readonly prefix?: string;
}

/**
 * Every version and delete marker of objects, page by page: a page holds as many as S3 deletes in one call.
 *
 * @returns none on a server without versions, such as that of `npm start`
 * @throws Error when a page that is not the last names no next one; and what the client throws
 */
export async function* versionPages({
  s3,
  bucket,
  prefix,
}: VersionsPlace): AsyncGenerator<ListObjectVersionsCommandOutput, void> {
  let marker: { KeyMarker?: string; VersionIdMarker?: string | undefined } = {};
  for (;;) {
    const page: ListObjectVersionsCommandOutput = await s3.send(
      new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, ...marker }),
    );
    yield page;
    if (page.IsTruncated !== true) return;
    // Taken as the last, what is behind it would be left out.
    if (page.NextKeyMarker === undefined) {
      throw new Error(
        `${bucket}: a page of versions that is not the last names no next one. Repeat the request; S3 always names one, a server in its place may not`,
      );
    }
    marker = { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker };
  }
}
