import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { ObjectServer } from './object-server';

const PART_BYTES = 16 * 1024 * 1024;
/** Parts or files in transfer at once: more than the AWS CLI's defaults benefit from on loopback. */
const CONCURRENCY = 4;

/** Uploads a stream; returns the size of the object in bytes. */
export async function uploadStream(server: ObjectServer, key: string, body: Readable): Promise<number> {
  await new Upload({
    client: server.client,
    params: { Bucket: server.bucket, Key: key, Body: body },
    partSize: PART_BYTES,
    queueSize: CONCURRENCY,
  }).done();
  const { ContentLength } = await server.client.send(new HeadObjectCommand({ Bucket: server.bucket, Key: key }));
  return ContentLength ?? 0;
}

export async function downloadStream(server: ObjectServer, key: string): Promise<Readable> {
  const { Body } = await server.client.send(new GetObjectCommand({ Bucket: server.bucket, Key: key }));
  if (!(Body instanceof Readable)) throw new Error(`${key} has no body`);
  return Body;
}

/** Uploads the files of a folder; returns the bytes uploaded. */
export async function uploadFolder(server: ObjectServer, prefix: string, folder: string): Promise<number> {
  let bytes = 0;
  await several(await readdir(folder), async (name) => {
    const uploaded = await uploadStream(server, `${prefix}/${name}`, createReadStream(join(folder, name)));
    bytes += uploaded;
  });
  return bytes;
}

/** Downloads the files with these names into a new folder. */
export async function downloadFolder(
  server: ObjectServer,
  prefix: string,
  names: readonly string[],
  folder: string,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await several(names, async (name) => {
    await pipeline(await downloadStream(server, `${prefix}/${name}`), createWriteStream(join(folder, name)));
  });
}

async function several(names: readonly string[], transfer: (name: string) => Promise<void>): Promise<void> {
  const left = [...names];
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let name = left.pop(); name !== undefined; name = left.pop()) await transfer(name);
    }),
  );
}
