import { createHash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { CompleteManifest } from '../../../core/archive/manifest';
import {
  type ArchiveSite,
  createArchiveSite,
  manifestAt,
  readObject,
  replaceManifest,
  replaceObject,
} from '../../factories/archive';
import { asAdministrator } from '../../support/database';

const KEY = 'archives/main/20261121T060000Z/manifest.json';

let site: ArchiveSite;
let manifest: CompleteManifest;

beforeAll(async () => {
  site = await createArchiveSite('main', 'CREATE VIEW operations.seen AS SELECT 1 AS one');
  await site.backup('2026-11-21T06:00:00Z');
  const written = await manifestAt(site.store, KEY);
  if (written.version === 1) throw new Error('The archive has no schema');
  manifest = written;
});

afterAll(() => site.remove());

/** The text of a section of the schema, as it was written. */
async function textOf(section: 'before' | 'after'): Promise<string> {
  return zstdDecompressSync(await readObject(site.store, manifest.schema[section].key)).toString('utf8');
}

/** Restores an archive whose schema was altered by somebody who can write both objects and manifest. */
async function restoreBy(section: 'before' | 'after', alter: (text: string) => string): Promise<unknown> {
  const { key } = manifest.schema[section];
  const original = await readObject(site.store, key);
  const text = alter(await textOf(section));
  const object = zstdCompressSync(text);
  const sha256 = (data: Buffer | string) => createHash('sha256').update(data).digest('hex');
  const described = {
    key,
    bytes: Buffer.byteLength(text),
    compressedBytes: object.length,
    sha256: sha256(object),
    plainSha256: sha256(text),
  };
  await replaceObject(site.store, key, object);
  await replaceManifest(site.store, { ...manifest, schema: { ...manifest.schema, [section]: described } });
  try {
    return await site.restore();
  } finally {
    await replaceObject(site.store, key, original);
    await replaceManifest(site.store, manifest);
  }
}

/** Restores by a manifest whose facts about the schema were altered. */
async function restoreWith(facts: Partial<CompleteManifest['schema']['facts']>): Promise<unknown> {
  const altered = { ...manifest.schema, facts: { ...manifest.schema.facts, ...facts } };
  await replaceManifest(site.store, { ...manifest, schema: altered });
  try {
    return await site.restore();
  } finally {
    await replaceManifest(site.store, manifest);
  }
}

/** Every database of this site but the live one, whatever its name. */
async function madeDatabases(): Promise<string[]> {
  const found = await asAdministrator((client) =>
    client.query<{ datname: string }>('SELECT datname FROM pg_database WHERE strpos(datname, $1) > 1', [
      site.source.name,
    ]),
  );
  return [...found.rows.map(({ datname }) => datname), ...(await site.leftovers())];
}

describe('a restore refuses an archive by name, before it makes a database,', () => {
  afterEach(async () => {
    const left = await madeDatabases();
    if (left.length > 0) throw new Error(`The refused restore left ${left.join(', ')} behind`);
  });

  test.each<[string, 'before' | 'after', (text: string) => string, string]>([
    ['whose schema is cut off', 'before', (text) => text.slice(0, -200), 'The schema before the rows'],
    ['whose schema after the rows is cut off', 'after', (text) => text.slice(0, -200), 'The schema after the rows'],
    [
      'whose schema holds a statement that pg_dump never writes',
      'before',
      (text) => text.replace('CREATE VIEW', 'DROP DATABASE postgres;\n$&'),
      'pg_dump never writes a statement such as: DROP DATABASE postgres',
    ],
    [
      'whose schema holds a command of psql',
      'after',
      (text) => text.replace('ALTER TABLE', '\\! touch pwned\n$&'),
      'it holds a command of psql outside of quotes',
    ],
    [
      'whose schema belongs to another archive',
      'after',
      (text) => text.replaceAll(manifest.schema.facts.key, 'otherkey'),
      'belongs to another archive: its key is otherkey',
    ],
  ])('%s', async (_what, section, alter, message) => {
    const refusal = await restoreBy(section, alter).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'schema_malformed', message: expect.stringContaining(message) as string });
  });

  test('whose schema is not what was written', async () => {
    const { key } = manifest.schema.before;
    const original = await readObject(site.store, key);
    await replaceObject(site.store, key, zstdCompressSync((await textOf('before')).replace('seen', 'sewn')));
    await expect(site.restore()).rejects.toMatchObject({ code: 'archive_damaged' });
    await expect(site.restore()).rejects.toThrow(key);
    await replaceObject(site.store, key, original);
  });

  test('of a newer server', async () => {
    const refusal = await restoreWith({ serverMajor: 99 }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'server_unsupported',
      message: expect.stringContaining('PostgreSQL 99') as string,
    });
  });

  test('with an extension that the server lacks', async () => {
    const extension = {
      name: 'spaceship',
      version: '9.1',
      schema: 'public',
      ownComment: false,
      tables: [],
      sequences: [],
    };
    const refusal = await restoreWith({ extensions: [extension] }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: 'extension_missing',
      message: expect.stringContaining('spaceship (9.1)') as string,
    });
  });
});

test('a restore whose schema makes another object than the archived one is refused, and leaves no database', async () => {
  const refusal = await restoreBy('after', (text) => {
    const constraint = /^ALTER TABLE ONLY operations\.drills\n {4}ADD CONSTRAINT [^;]+;/m.exec(text)?.[0];
    if (constraint === undefined) throw new Error('The schema has no key of the drills');
    return text.replace(constraint, 'ALTER TABLE ONLY operations.drills ADD CONSTRAINT drills_pkey CHECK (true);');
  }).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: expect.stringMatching(/^schema_/) as string });
  expect(await madeDatabases()).toEqual([]);
});
