/** `npm run bench:backup`: archive and verified restore beside PostgreSQL's own tools, to and from one S3 server. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startKeyManagement } from '../local/aws/key-management';
import { startSecretsManager } from '../local/aws/secrets-manager';
import type { Teardown } from '../local/runtime/teardown';
import type { Contender } from './backup/contender';
import { fillWithTables } from './backup/company';
import { fillTo } from './backup/fill';
import { startObjectServer } from './backup/object-server';
import { platform } from './backup/ours';
import { findPostgresTools } from './backup/postgres-tools';
import { stockTools } from './backup/stock-tools';
import { bundlesIn } from './support/bundle';
import { runBenchmark } from './support/run-benchmark';
import { migrate, startBenchServer, type BenchDatabase, type BenchServer } from './support/server';
import { formatTable, progress, ratio, verdict, whole } from './support/table';

const { values: options } = parseArgs({
  options: {
    /** Size of the database, in GiB. */
    gib: { type: 'string', default: '1' },
    /** Tables of a company, each with a thousand rows, in place of a billing database of a size; 0 for none. */
    tables: { type: 'string', default: '0' },
    /** How often everybody saves and restores: whoever comes first finds the server cold, and disks stall at times. */
    rounds: { type: 'string', default: '7' },
    /** A smoke test of the benchmark itself; its figures mean nothing. */
    quick: { type: 'boolean', default: false },
  },
});
const quick = options.quick;
const gib = quick ? 0.05 : Number(options.gib);
if (!(gib > 0)) throw new Error('--gib: expected a number above 0');

const tables = Number(options.tables);
if (!Number.isInteger(tables) || tables < 0) throw new Error('--tables: expected a whole number from 0');
/** Which of the platform's databases is measured, and the table whose rows are counted afterwards. */
const measured =
  tables === 0
    ? ({ name: 'billing', counted: 'billing.webhook_events' } as const)
    : ({ name: 'main', counted: 'public.t_1' } as const);

const rounds = quick ? 1 : Number(options.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: expected a whole number from 1');

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const MEMORY_AIM_BYTES = 300 * MIB;
/** What capturing the schema may add to an archive. */
const SCHEMA_AIM = { seconds: 2, share: 0.1 };

interface Result {
  readonly name: string;
  readonly saveSeconds: number;
  readonly restoreSeconds: number;
  readonly storedBytes: number;
  readonly peak: { readonly save: number; readonly restore: number } | undefined;
}

async function main(teardown: Teardown): Promise<void> {
  const tools = findPostgresTools();
  const server = await startBenchServer(teardown);
  const objects = await startObjectServer(server.directory, teardown);
  const bundle = bundlesIn(join(server.directory, 'functions'));
  const secrets = await startSecretsManager();
  teardown.add(() => secrets.stop());
  const kms = await startKeyManagement();
  teardown.add(() => kms.stop());
  const database = await server.createDatabase(measured.name);
  await migrate(database, measured.name);
  const bytes = await (tables === 0 ? fillTo(database, gib * GIB) : fillWithTables(database, tables));

  const ours = platform(bundle, server, { database, name: measured.name }, secrets, objects, kms.url);
  const contenders: Contender[] = [ours, ...(tools === undefined ? [] : stockTools(tools, server, database, objects))];
  const rows = await countRows(database);
  const finished: Result[][] = [];
  while (finished.length < rounds) {
    progress(`Round ${finished.length + 1} of ${rounds}`);
    const results: Result[] = [];
    for (const contender of contenders) results.push(await measure(server, contender, rows));
    finished.push(results);
  }
  const results = contenders.map((_, index) => middleOf(finished.flatMap((round) => round[index] ?? [])));
  console.log(report(results, { bytes, toolsVersion: tools?.version, schemaSeconds: ours.schemaSeconds() }));
}

/** One contender's rounds as one: the median of each time, which a cold server or a stall of the disk does not move. */
function middleOf(results: readonly Result[]): Result {
  const [first] = results;
  if (first === undefined) throw new Error('Nothing was measured');
  return {
    ...first,
    saveSeconds: median(results.map(({ saveSeconds }) => saveSeconds)),
    restoreSeconds: median(results.map(({ restoreSeconds }) => restoreSeconds)),
    peak: results.map(({ peak }) => peak).reduce((one, other) => highest(one, other)),
  };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function highest(one: Result['peak'], other: Result['peak']): Result['peak'] {
  if (one === undefined || other === undefined) return undefined;
  return { save: Math.max(one.save, other.save), restore: Math.max(one.restore, other.restore) };
}

async function measure(server: BenchServer, contender: Contender, rows: number): Promise<Result> {
  const storedBytes = { value: 0 };
  const saveSeconds = await timed(server, `${contender.name}: save`, async () => {
    storedBytes.value = await contender.save();
  });
  const target = 'restored';
  // The platform makes the database itself, which is part of what it is timed for.
  if (contender.peakMemoryBytes === undefined) await server.createDatabase(target);
  const restoreSeconds = await timed(server, `${contender.name}: restore`, () => contender.restore(target));
  const restored = server.database(target);
  try {
    const found = await countRows(restored);
    if (found !== rows)
      throw new Error(`${contender.name} brought back ${found} of ${rows} rows of ${measured.counted}`);
  } finally {
    await restored.drop();
  }
  const peak = contender.peakMemoryBytes?.();
  return { name: contender.name, saveSeconds, restoreSeconds, storedBytes: storedBytes.value, peak };
}

/** Seconds of some work; what was written before is on disk by then, so that nobody pays for another. */
async function timed(server: BenchServer, what: string, work: () => Promise<void>): Promise<number> {
  const client = await server.database('postgres').connect();
  await client.query('CHECKPOINT');
  await client.end();
  execFileSync('sync');
  const started = performance.now();
  await work();
  const seconds = (performance.now() - started) / 1000;
  progress(`${what}: ${seconds.toFixed(1)} s`);
  return seconds;
}

async function countRows(database: BenchDatabase): Promise<number> {
  const client = await database.connect();
  try {
    const { rows } = await client.query<{ rows: number }>(`SELECT count(*)::integer AS rows FROM ${measured.counted}`);
    return rows[0]?.rows ?? 0;
  } finally {
    await client.end();
  }
}

interface Circumstances {
  readonly bytes: number;
  readonly toolsVersion: string | undefined;
  /** Of each of our archives. */
  readonly schemaSeconds: readonly number[];
}

function report(results: readonly Result[], { bytes, toolsVersion, schemaSeconds }: Circumstances): string {
  const [ours] = results;
  if (ours?.peak === undefined) throw new Error('Nothing was measured');
  const table = formatTable(
    ['', 'save s', 'MB/s', 'ours is', 'restore s', 'ours is', 'stored MiB', 'peak MiB save / restore'],
    results.map(({ name, saveSeconds, restoreSeconds, storedBytes, peak }) => [
      name,
      saveSeconds.toFixed(1),
      whole(bytes / 1_000_000 / saveSeconds),
      ratio(saveSeconds, ours.saveSeconds),
      restoreSeconds.toFixed(1),
      ratio(restoreSeconds, ours.restoreSeconds),
      whole(storedBytes / MIB),
      peak === undefined ? '–' : `${whole(peak.save / MIB)} / ${whole(peak.restore / MIB)}`,
    ]),
  );
  const peakBytes = Math.max(ours.peak.save, ours.peak.restore);
  const named = (name: string): Result | undefined => results.find((result) => result.name === name);
  const [plain, first, fastest, directory] = [
    'pg_dump + gzip',
    'pg_dump -Fd -j2 -Z1',
    'pg_dump -Fd -j2 -Z zstd:1',
    'pg_dump -Fd -j2',
  ].map(named);
  const against = (aim: string, seconds: number | undefined, own: number, least: number): string =>
    seconds === undefined
      ? `ABSENT  ${aim}: no pg_dump to compare with`
      : verdict(aim, ratio(seconds, own), seconds / own >= least);
  return [
    `A database of ${(bytes / GIB).toFixed(2)} GiB${tables > 0 ? ` in ${tables} tables` : ''}, all to and from one S3 server (${toolsVersion ?? 'NO pg_dump'})`,
    'Ours verifies what it restores: hashes, rows, foreign keys, invariants; the others load it.',
    '',
    table,
    '',
    against('archive at least 2 × pg_dump + gzip', plain?.saveSeconds, ours.saveSeconds, 2),
    against('archive no slower than pg_dump -Fd -j2 -Z1', first?.saveSeconds, ours.saveSeconds, 1),
    against('archive no slower than pg_dump -Fd -j2 -Z zstd:1', fastest?.saveSeconds, ours.saveSeconds, 1),
    against('verified restore no slower than pg_restore -j2', directory?.restoreSeconds, ours.restoreSeconds, 1),
    verdict(
      'peak memory under 300 MiB',
      `${whole(peakBytes / MIB)} MiB`,
      peakBytes > 0 && peakBytes < MEMORY_AIM_BYTES,
    ),
    schemaVerdict(schemaSeconds, ours.saveSeconds),
    ...(quick ? ['', 'A --quick run: it proves that the benchmark works, and measures nothing.'] : []),
  ].join('\n');
}

/** The time of pg_dump's thread and what belongs to it: an upper bound, as rows are copied meanwhile. */
function schemaVerdict(schemaSeconds: readonly number[], saveSeconds: number): string {
  const seconds = median(schemaSeconds);
  return verdict(
    'schema at most 10 % of the archive or 2 s',
    `${seconds.toFixed(1)} s, beside the rows`,
    seconds <= Math.max(SCHEMA_AIM.seconds, SCHEMA_AIM.share * saveSeconds),
  );
}

void runBenchmark(main);
