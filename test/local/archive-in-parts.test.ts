import { archiveInParts } from '../../local/pass/archive-in-parts';
import type { PassContext } from '../../local/pass/steps';
import type { ExecutionRecord } from '../../local/states/executions';
import { freePort } from '../../local/runtime/ports';

/** What the step of the visible pass says of archives and restores that end so or so. */
const ARCHIVE = { slot: '2026-11-21T06:00:00Z', tables: 3, rows: 70, manifestKey: 'archives/main/manifest.json' };
const PROOF = { slot: ARCHIVE.slot, deviations: [], schemaDifferences: [] };

interface Told {
  readonly lines: string[];
  readonly asked: unknown[];
}

/** Plays the step against executions of which each is first under way and then ends as given. */
async function play(ends: Readonly<Record<string, object>>, left: readonly object[] = []): Promise<Told> {
  const told: Told = { lines: [], asked: [] };
  const looks: Record<string, number> = {};
  const port = await freePort();
  const platform = {
    databases: { main: { cluster: { port } } },
    invoke: async (stem: string, event: object) => {
      told.asked.push([stem, event]);
      return { ...ARCHIVE, outcome: 'started', execution: stem };
    },
    execution: (arn: string) => {
      looks[arn] = (looks[arn] ?? 0) + 1;
      const running = { status: 'RUNNING', startedAtMs: 0 };
      return { ...running, ...(looks[arn] > 2 ? { stoppedAtMs: 900, ...ends[arn] } : {}) } as ExecutionRecord;
    },
  };
  const main = { query: async () => ({ rows: left, rowCount: left.length }) };
  await archiveInParts.run({ platform, main } as unknown as PassContext, (line) => told.lines.push(line));
  return told;
}

const archived = { status: 'SUCCEEDED', output: ARCHIVE };
const restored = { status: 'SUCCEEDED', output: PROOF };

test('main is archived and restored in parts, each awaited to its end', async () => {
  const { lines, asked } = await play({ backup: archived, restore: restored });
  expect(asked).toEqual([
    ['backup', { database: 'main', slot: expect.stringMatching(/^20/) as string, inParts: true }],
    ['restore', { database: 'main', archive: ARCHIVE.slot, targetDatabase: 'main_in_parts', afterwards: 'drop' }],
  ]);
  expect(lines).toEqual([
    expect.stringMatching(/^archived +70 rows of 3 tables from a copy of the cluster, a call for each part, 900 ms: /),
    'restored  70 rows of 3 tables, verified, 900 ms',
  ]);
});

test.each([
  [
    'archive',
    { backup: { status: 'FAILED', cause: 'no disk' }, restore: restored },
    [],
    'backup ended as FAILED: no disk',
  ],
  ['restore', { backup: archived, restore: { status: 'TIMED_OUT' } }, [], 'restore ended as TIMED_OUT'],
  [
    'restored schema',
    { backup: archived, restore: { ...restored, output: { ...PROOF, schemaDifferences: ['TABLE a'] } } },
    [],
    'the restored schema is another: TABLE a',
  ],
  ['database that is left', { backup: archived, restore: restored }, [{ datname: 'x' }], 'was left behind'],
])('the step fails by the %s', async (_, ends, left, message) => {
  await expect(play(ends, left)).rejects.toThrow(message);
});

test('a platform whose state machines run elsewhere is not asked', () => {
  expect(archiveInParts.skip?.({ platform: {} } as PassContext)).toBe('the state machines run elsewhere');
});
