import { appendFile, readdir } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type ArchivedPart, type ArchivedTable, type Manifest, totalOf } from '../../../core/archive/manifest';
import { partKey } from '../../../core/archive/keys';
import { assertRowCounts } from '../../../core/restore/compare-tables';
import {
  type ArchiveSite,
  createArchiveSite,
  manifestAt,
  readObject,
  replaceManifest,
  replaceObject,
} from '../../factories/archive';

let site: ArchiveSite;
let manifest: Manifest;

beforeAll(async () => {
  site = await createArchiveSite('main');
  const { manifestKey } = await site.backup('2026-11-21T06:00:00Z');
  manifest = await manifestAt(site.store, manifestKey);
});
afterAll(() => site.remove());

/** Restores the archive by an altered manifest whose sums are correct. */
async function restoreBy(altered: Partial<Manifest>): Promise<unknown> {
  const whole = { ...manifest, ...altered };
  await replaceManifest(site.store, { ...whole, ...totalOf(whole.tables) } as Manifest);
  return site.restore();
}

function firstTable(): ArchivedTable {
  const [table] = manifest.tables;
  if (!table) throw new Error('The archive has no table');
  return table;
}

/** The tables of the archive, with another part in the place of a table's only one. */
function tablesWith(name: string, alter: (part: ArchivedPart) => ArchivedPart): ArchivedTable[] {
  return manifest.tables.map((table) => {
    if (table.name !== name) return table;
    const parts = table.parts.map(alter);
    return { ...table, parts, ...totalOf(parts) };
  });
}

describe('a restore refuses an archive, and leaves no database,', () => {
  afterEach(async () => {
    await replaceManifest(site.store, manifest);
    const leftovers = await site.leftovers();
    if (leftovers.length > 0) throw new Error(`The refused restore left ${leftovers.join(', ')} behind`);
  });

  test.each<[string, (tables: ArchivedTable[]) => ArchivedTable[], RegExp]>([
    ['that lacks a table', (tables) => tables.slice(1), /^Table \S+ is missing from the archive/],
    [
      'with other columns than in its schema',
      ([table, ...others]) => (table ? [{ ...table, columns: [...table.columns, 'unknown'] }, ...others] : []),
      /^Table \S+ has other columns in the archive than in its schema/,
    ],
  ])('%s', async (_what, alter, message) => {
    const refusal = restoreBy({ tables: alter(manifest.tables) });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_inconsistent' });
    await expect(refusal).rejects.toThrow(message);
  });

  test('with a table that its schema does not make', async () => {
    const table = { ...firstTable(), schema: 'operations', name: 'unknown' };
    const parts = await Promise.all(
      table.parts.map(async (part, index) => {
        const key = partKey('main', manifest.slot, manifest.attempt, table, index);
        await replaceObject(site.store, key, await readObject(site.store, part.key));
        return { ...part, key };
      }),
    );
    const refusal = restoreBy({ tables: [...manifest.tables, { ...table, parts }] });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_inconsistent' });
    await expect(refusal).rejects.toThrow(
      'Table operations.unknown is in the archive, but its schema does not make it',
    );
  });

  test('whose objects of two tables of one shape are exchanged', async () => {
    const [one, other, ...others] = manifest.tables;
    if (!one || !other) throw new Error('The archive has fewer than two tables');
    const exchanged = [
      { ...one, parts: other.parts, ...totalOf(other.parts) },
      { ...other, parts: one.parts, ...totalOf(one.parts) },
    ];
    const refusal = restoreBy({ tables: [...exchanged, ...others] });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_malformed' });
    await expect(refusal).rejects.toThrow('does not belong to this archive, or to another of its tables');
  });

  test('that lacks a sequence', async () => {
    const refusal = restoreBy({ sequences: manifest.sequences.slice(1) });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_inconsistent' });
    await expect(refusal).rejects.toThrow(/^Sequence \S+ is missing from the archive/);
  });

  test('whose values were written under other settings', async () => {
    const refusal = restoreBy({ copySettings: { ...manifest.copySettings, DateStyle: 'SQL, DMY' } });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_malformed' });
    await expect(refusal).rejects.toThrow('was written with DateStyle = SQL, DMY');
  });

  test('with a sequence that its schema does not make', async () => {
    const unknown = { schema: 'operations', name: 'unknown_seq', lastValue: '1', isCalled: true };
    const refusal = restoreBy({ sequences: [...manifest.sequences, unknown] });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_inconsistent' });
    await expect(refusal).rejects.toThrow('Sequence operations.unknown_seq is in the archive');
  });

  test('with other rows in an object than its manifest says', async () => {
    const refusal = restoreBy({ tables: tablesWith('migrations', (part) => ({ ...part, rows: part.rows + 1 })) });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_damaged' });
    await expect(refusal).rejects.toThrow(/it holds \d+ rows in \d+ bytes instead of \d+ in \d+/);
  });

  test('whose identity is that of another database', async () => {
    const identity = manifest.tables.find(({ name }) => name === 'database_identity')?.parts[0];
    if (!identity) throw new Error('The archive has no identity');
    const original = await readObject(site.store, identity.key);
    const text = zstdDecompressSync(original)
      .toString('utf8')
      .replace(/\bmain\b/, 'billing');
    const forged = zstdCompressSync(text);
    const sha256 = createHash('sha256').update(forged).digest('hex');
    const sizes = { bytes: Buffer.byteLength(text), compressedBytes: forged.length };
    await replaceObject(site.store, identity.key, forged);
    const refusal = restoreBy({ tables: tablesWith('database_identity', (part) => ({ ...part, ...sizes, sha256 })) });
    await expect(refusal).rejects.toMatchObject({ code: 'archive_inconsistent' });
    await expect(refusal).rejects.toThrow('violates check constraint');
    await replaceObject(site.store, identity.key, original);
  });

  test('whose migrations were edited since', async () => {
    const [file = ''] = (await readdir(site.migrations.directory)).toSorted();
    const restoring = async () => {
      await appendFile(path.join(site.migrations.directory, file), '\n-- edited');
      return site.restore();
    };
    const refusal = restoring();
    await expect(refusal).rejects.toMatchObject({ code: 'migration_edited' });
    await expect(refusal).rejects.toThrow(path.basename(file, '.sql'));
  });
});

test('a table with other rows than its archive is refused with both numbers', async () => {
  const client = await site.source.client();
  const table = firstTable();
  await expect(assertRowCounts([client], [table])).resolves.toBeUndefined();
  await expect(assertRowCounts([client], [{ ...table, rows: table.rows + 1 }])).rejects.toMatchObject({
    code: 'archive_inconsistent',
    message: expect.stringContaining(`holds ${table.rows} rows, but the archive has ${table.rows + 1}`) as string,
  });
});
