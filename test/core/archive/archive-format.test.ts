import fc from 'fast-check';
import { encodeName, partKey, schemaKey } from '../../../core/archive/keys';
import { ARCHIVE_FORMAT, ARCHIVE_VERSION, type CompleteManifest, parseManifest } from '../../../core/archive/manifest';
import { keyToSlot, normaliseSlot, slotToKey } from '../../../core/archive/slot';
import { planParts } from '../../../lambdas/backup/parts';

const SLOT = '2026-11-21T06:00:00Z';
const ATTEMPT = 'attempt-1';

const FACTS: CompleteManifest['schema']['facts'] = {
  key: 'k',
  serverMajor: 17,
  roles: [],
  memberships: [],
  database: {
    name: 'billing',
    owner: 'postgres',
    comment: null,
    connectionLimit: -1,
    settings: [],
    roleSettings: [],
    grants: null,
  },
  extensions: [],
  lateChecks: true,
  largeObjects: 0,
  omissions: [],
};

/** A manifest of a table with two rows, in two objects. */
function inTwoParts(other: {
  readonly schema: string;
  readonly name: string;
  readonly index: number;
}): CompleteManifest {
  const whole = manifest();
  const [table] = whole.tables;
  const [part] = table?.parts ?? [];
  if (!table || !part) throw new Error('The manifest has no table');
  const key = partKey('billing', SLOT, ATTEMPT, other, other.index);
  const doubled = { rows: 4, bytes: 40, compressedBytes: 30 };
  return manifest({ tables: [{ ...table, parts: [part, { ...part, key }], ...doubled }], ...doubled });
}

function manifest(overrides: Partial<CompleteManifest> = {}): CompleteManifest {
  const sizes = { rows: 2, bytes: 20, compressedBytes: 15 };
  const table = { schema: 'billing', name: 'customers' };
  const key = partKey('billing', SLOT, ATTEMPT, table, 0);
  const part = { key, ...sizes, sha256: 'a'.repeat(64) };
  const textOf = (section: 'before' | 'after') => ({
    key: schemaKey('billing', SLOT, ATTEMPT, section),
    bytes: 20,
    compressedBytes: 15,
    sha256: 'a'.repeat(64),
    plainSha256: 'b'.repeat(64),
  });
  return {
    format: ARCHIVE_FORMAT,
    version: ARCHIVE_VERSION,
    database: 'billing',
    slot: SLOT,
    attempt: ATTEMPT,
    startedAt: '2026-11-21T06:00:01.000Z',
    finishedAt: '2026-11-21T06:00:02.000Z',
    durationMs: 1000,
    server: { version: '17.10', encoding: 'UTF8', localeProvider: 'libc', collate: 'C', ctype: 'C', locale: null },
    copySettings: {},
    migrations: [{ name: '0001_create_identity', sha256: 'c'.repeat(64) }],
    tables: [{ ...table, columns: ['id'], parts: [part], ...sizes }],
    schema: { before: textOf('before'), after: textOf('after'), facts: FACTS },
    sequences: [],
    ...sizes,
    ...overrides,
  };
}

describe('a slot', () => {
  test.each([
    ['2026-11-21T07:00:00+01:00', SLOT],
    ['2026-11-21T06:00:00.999Z', SLOT],
    [SLOT, SLOT],
  ])('of %s is normalised to UTC and whole seconds', (time, slot) => {
    expect(normaliseSlot(time)).toBe(slot);
    expect(keyToSlot(slotToKey(slot))).toBe(slot);
  });

  test.each(['yesterday', '2026-11-21', '2026-11-21T06:00:00', '2026-13-01T00:00:00Z', ''])(
    'refuses %p, because it is not a moment',
    (time) => {
      expect(() => normaliseSlot(time)).toThrow('expected an ISO time such as 2026-11-21T06:00:00Z');
    },
  );
});

describe('the key of an object', () => {
  test('keeps to its folder and its characters, whatever the name of the table', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        expect(encodeName(name)).toMatch(/^[A-Za-z0-9_=-]+$/);
      }),
    );
    expect(partKey('billing', SLOT, ATTEMPT, { schema: 'a.b', name: '../é' }, 7)).toBe(
      'archives/billing/20261121T060000Z/attempt-1/a=2Eb.=2E=2E=2F=C3=A9/00007.copy.zst',
    );
  });

  test('differs between any two tables', () => {
    const table = fc.record({ schema: fc.string({ minLength: 1 }), name: fc.string({ minLength: 1 }) });
    fc.assert(
      fc.property(table, table, (one, other) => {
        const same = one.schema === other.schema && one.name === other.name;
        const keys = [one, other].map((each) => partKey('main', SLOT, ATTEMPT, each, 0));
        expect(keys[0] === keys[1]).toBe(same);
      }),
    );
  });
});

describe('the parts of a table', () => {
  test('cover every page once, and the last one is open-ended for rows that were added since', () => {
    const table = { oid: 1, schema: 's', name: 't', columns: ['a', 'B c'], pages: 10, bytes: 10 * 8192 };
    const parts = planParts({ database: 'main', slot: SLOT, attempt: ATTEMPT }, [table], 4 * 8192);
    expect(parts.map((part) => part.sql)).toEqual([
      `COPY (SELECT "a", "B c" FROM ONLY "s"."t" WHERE ctid < '(4,0)'::tid) TO STDOUT`,
      `COPY (SELECT "a", "B c" FROM ONLY "s"."t" WHERE ctid >= '(4,0)'::tid AND ctid < '(8,0)'::tid) TO STDOUT`,
      `COPY (SELECT "a", "B c" FROM ONLY "s"."t" WHERE ctid >= '(8,0)'::tid) TO STDOUT`,
    ]);
  });

  test('are as many as its large values need, even if its pages are few', () => {
    const table = { oid: 1, schema: 's', name: 't', columns: ['a'], pages: 10, bytes: 50 * 8192 };
    expect(planParts({ database: 'main', slot: SLOT, attempt: ATTEMPT }, [table], 10 * 8192)).toHaveLength(5);
  });

  test('are one for an empty table, and the longest part comes first', () => {
    const empty = { oid: 1, schema: 's', name: 'empty', columns: ['a'], pages: 0, bytes: 0 };
    const full = { oid: 2, schema: 's', name: 'full', columns: ['a'], pages: 3, bytes: 3 * 8192 };
    const parts = planParts({ database: 'main', slot: SLOT, attempt: ATTEMPT }, [empty, full], 1024 * 1024);
    expect(parts.map((part) => part.table.name)).toEqual(['full', 'empty']);
  });
});

describe('a manifest', () => {
  test('is read as it was written', () => {
    expect(parseManifest(JSON.stringify(manifest()), 'key')).toEqual(manifest());
    const two = inTwoParts({ schema: 'billing', name: 'customers', index: 1 });
    expect(parseManifest(JSON.stringify(two), 'key')).toEqual(two);
  });

  test('of version 1 is read, whose schema is that of its migrations', () => {
    const { schema: _, ...first } = { ...manifest(), version: 1 as const };
    expect(parseManifest(JSON.stringify(first), 'key')).toEqual(first);
  });

  test('with a hash of the text of each part is read, as older ones have it', () => {
    const { tables, ...others } = manifest();
    const hashed = { plainSha256: 'b'.repeat(64) };
    const older = tables.map((table) => ({ ...table, parts: table.parts.map((part) => ({ ...part, ...hashed })) }));
    expect(parseManifest(JSON.stringify({ ...others, tables: older }), 'key')).toEqual({ ...others, tables: older });
  });

  test.each<[string, string, string]>([
    ['truncated', 'archive_malformed', JSON.stringify(manifest()).slice(0, -1)],
    ['of another format', 'archive_unsupported', JSON.stringify({ ...manifest(), format: 'other' })],
    ['of a later version', 'archive_unsupported', JSON.stringify({ ...manifest(), version: ARCHIVE_VERSION + 1 })],
    ['whose totals do not add up', 'archive_malformed', JSON.stringify(manifest({ rows: 3 }))],
    [
      'that names objects of another slot',
      'archive_malformed',
      JSON.stringify(manifest({ slot: '2026-11-22T06:00:00Z' })),
    ],
    [
      'of version 1 without a migration',
      'archive_malformed',
      JSON.stringify({ ...manifest({ migrations: [] }), version: 1 }),
    ],
    [
      'with an object of another table',
      'archive_malformed',
      JSON.stringify(inTwoParts({ schema: 'billing', name: 'charges', index: 1 })),
    ],
    [
      'with an object in another place',
      'archive_malformed',
      JSON.stringify(inTwoParts({ schema: 'billing', name: 'customers', index: 2 })),
    ],
    [
      'whose schemas before and after the rows are exchanged',
      'archive_malformed',
      JSON.stringify(
        manifest({ schema: { before: manifest().schema.after, after: manifest().schema.before, facts: FACTS } }),
      ),
    ],
  ])('%s is refused, naming its key', (_what, code, json) => {
    const read = () => parseManifest(json, 'archives/billing/x/manifest.json');
    expect(read).toThrow(expect.objectContaining({ code }) as Error);
    expect(read).toThrow('archives/billing/x/manifest.json');
  });
});
