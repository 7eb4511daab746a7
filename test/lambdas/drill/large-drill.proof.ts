import { rm } from 'node:fs/promises';
import path from 'node:path';
import { ListExecutionsCommand, SFNClient, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { mockClient } from 'aws-sdk-client-mock';
import { createConnector } from '../../../core/database/connector';
import { scratchName } from '../../../core/restore/scratch-names';
import { runDrill, type RunDrillDependencies } from '../../../lambdas/drill/core';
import { drillKey } from '../../../lambdas/drill/record';
import { endDrill } from '../../../lambdas/drill/steps';
import type { DrillStepRequest } from '../../../lambdas/drill/contract';
import { type ArchiveSite, createArchiveSite, readObject } from '../../factories/archive';
import { SteppedRestore } from '../../factories/stepped-restore';
import { StillArchive } from '../../factories/still-archive';
import { asAdministrator, clusterSecrets, clusterTarget } from '../../support/database';
import { noErasures } from '../../support/erasures';
import { silentLog } from '../../support/log';
import { PG_DUMP_WORKER } from '../../support/schema';

/** Drills of an archive that was written in parts, which one call does not restore. */
const CONTENT = 'CREATE TABLE public.orders (id int PRIMARY KEY, text text UNIQUE)';
const SLOT = '2026-11-21T06:00:00Z';
const DAY_MS = 24 * 3_600_000;
const STATE_MACHINE = 'arn:aws:states:eu-central-1:1:stateMachine:BillingOps-test-restore-main';
const EXECUTION = 'arn:aws:states:eu-central-1:1:execution:BillingOps-test-restore-main:one';

let site: ArchiveSite;

beforeAll(async () => {
  site = await createArchiveSite('main', CONTENT);
  const rows = `INSERT INTO public.orders SELECT n, repeat('x', 60) || n FROM generate_series(1, 3000) n`;
  await asAdministrator((client) => client.query(rows), site.source.name);
  await new StillArchive(site, { partBytes: 64 * 1024 }).make();
});
afterEach(async () => {
  for (const name of await drilling()) {
    await asAdministrator((client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  }
  await asAdministrator((client) => client.query('DELETE FROM operations.drills'), site.source.name);
});
afterAll(() => site.remove());

const dependencies = (overrides: Partial<RunDrillDependencies> = {}): RunDrillDependencies => ({
  connector: createConnector(clusterTarget(site.source.name, 'main'), clusterSecrets(), 'drill', {
    plainSession: true,
  }),
  store: site.store,
  migrationsDirectory: site.migrations.directory,
  pgDumpWorker: PG_DUMP_WORKER,
  erasures: noErasures,
  targetMs: 4 * 3_600_000,
  workflow: workflowThat(true).workflow,
  log: silentLog,
  clock: () => new Date('2026-11-21T12:00:00.250Z'),
  ...overrides,
});

const drilling = () =>
  asAdministrator(async (client) => {
    const { rows } = await client.query<{ datname: string }>(
      'SELECT datname FROM pg_database WHERE starts_with(datname, $1)',
      [`drilling_${site.source.name}`],
    );
    return rows.map(({ datname }) => datname);
  });
const recorded = () =>
  asAdministrator(async (client) => {
    const { rows } = await client.query<Record<string, unknown>>(
      'SELECT started_at, outcome, row_count::int, duration_ms::int, error FROM operations.drills ORDER BY started_at',
    );
    return rows;
  }, site.source.name);

const begin = (startedAt: string) =>
  new SteppedRestore(site, scratchName('drill', site.source.name, new Date(startedAt)), {}, startedAt, 'drill');

/** The restore of a drill, up to its proof, as the workflow makes it. @returns the request to record it */
async function restored(startedAt: string): Promise<DrillStepRequest> {
  const restore = begin(startedAt);
  await restore.proveAll();
  const { database, slot, manifestSha256 } = restore.restoring!;
  const finishedAt = new Date(Date.parse(startedAt) + 3_600_000).toISOString();
  return { step: 'record', database, slot, manifestSha256, startedAt, finishedAt };
}

function workflowThat(starts: boolean) {
  const sfn = mockClient(SFNClient);
  sfn.on(ListExecutionsCommand).rejects(new Error('no route'));
  if (starts) sfn.on(StartExecutionCommand).resolves({ executionArn: EXECUTION });
  else sfn.on(StartExecutionCommand).rejects(new Error('no route'));
  const workflow = { sfn: sfn as unknown as SFNClient, stateMachineArn: STATE_MACHINE, limitBytes: 1024 ** 4 };
  return { sfn, workflow };
}

test('a drill of a large archive starts the workflow for that archive, and records nothing yet', async () => {
  const { sfn, workflow } = workflowThat(true);
  const report = await runDrill(dependencies({ workflow }));
  expect(report).toMatchObject({ outcome: 'started', execution: EXECUTION, slot: SLOT, durationMs: null });
  const [input] = sfn.commandCalls(StartExecutionCommand).map((call) => call.args[0].input);
  expect([input?.stateMachineArn, input?.name]).toEqual([STATE_MACHINE, 'drill-20261121T120000Z']);
  expect(JSON.parse(input?.input ?? '')).toEqual({
    request: { archive: SLOT, targetDatabase: `drill_${site.source.name}_20261121t120000z`, purpose: 'drill' },
    afterwards: 'drop',
  });
  expect(await recorded()).toEqual([]);
});

test('a workflow that does not start is a failed drill', async () => {
  const { workflow } = workflowThat(false);
  await expect(runDrill(dependencies({ workflow }))).rejects.toMatchObject({ code: 'workflow_unavailable' });
  expect(await recorded()).toMatchObject([{ outcome: 'failed', error: expect.stringContaining('no route') as string }]);
});

test('a proven drill is measured from its start, recorded once though its answer is lost, and dropped', async () => {
  const request = await restored('2026-11-21T12:30:00.250Z');
  const { name, record } = await endDrill(dependencies(), request);
  expect(record).toMatchObject({
    outcome: 'passed',
    startedAt: '2026-11-21T12:30:00.000Z',
    slot: SLOT,
    durationMs: 3_600_000,
    targetMs: 4 * 3_600_000,
    deviations: 0,
    schemaDifferences: 0,
    error: null,
  });
  expect(record.rows).toBeGreaterThanOrEqual(3000);
  expect(record.restoredBytes).toBeGreaterThan(1_000_000);
  expect([name, await drilling()]).toEqual([`drilling_${site.source.name}_20261121t123000z`, []]);
  expect(JSON.parse((await readObject(site.store, drillKey('main', record.startedAt))).toString())).toEqual(record);

  expect((await endDrill(dependencies({ targetMs: 4 * 3_600_000 }), request)).record).toMatchObject({
    outcome: 'passed',
    restoredBytes: record.restoredBytes,
  });
  const { rows, startedAt } = record;
  expect(await recorded()).toEqual([
    { started_at: new Date(startedAt), outcome: 'passed', row_count: rows, duration_ms: 3_600_000, error: null },
  ]);
});

test('a drill that is on record as passed stays so when its database could only be dropped by the failed step', async () => {
  const request = await restored('2026-11-21T15:00:00Z');
  const { startedAt, database } = request;
  const { record } = await endDrill(dependencies(), request);
  // As if the database had not been dropped, and the call had failed before it reached the database's own records.
  await asAdministrator((client) => client.query(`CREATE DATABASE drilling_${site.source.name}_20261121t150000z`));
  await asAdministrator((client) => client.query('DELETE FROM operations.drills'), site.source.name);
  const fail = { step: 'fail', database, startedAt, error: 'Unexpected', cause: '', execution: EXECUTION } as const;
  expect((await endDrill(dependencies(), fail)).record).toEqual(record);
  expect(await drilling()).toEqual([]);
  expect(await recorded()).toMatchObject([{ outcome: 'passed', row_count: record.rows, error: null }]);
});

test('of two drills that start at the same time, the database of one is made, and the other is refused', async () => {
  const drills = ['2026-11-21T16:00:00Z', '2026-11-21T16:00:02Z'].map(begin);
  const ends = await Promise.allSettled(drills.map((drill) => drill.prepare()));
  expect(ends.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  const refusal = ends.find((end) => end.status === 'rejected');
  expect(refusal).toMatchObject({ reason: { code: 'drill_running' } });
  expect(await drilling()).toHaveLength(1);
});

test('a drill that took longer than its target is slow, and has the findings of its proof', async () => {
  const failing = await site.migrations.add('divide_by_zero', 'SELECT 1 / 0;');
  const request = await restored('2026-11-21T13:00:00Z');
  await rm(path.join(site.migrations.directory, `${failing}.sql`));
  const { record } = await endDrill(dependencies({ targetMs: 3_000_000 }), request);
  expect(record).toMatchObject({ outcome: 'slow', deviations: 1, schemaDifferences: 0, error: null });
  const error = expect.stringMatching(/^1 not as archived, 0 to compare/) as string;
  expect(await recorded()).toMatchObject([{ outcome: 'slow', error }]);
});

test('a database that is not proven is never recorded as passed; as failed, once, and dropped', async () => {
  const startedAt = '2026-11-21T14:00:00.250Z';
  const restore = begin(startedAt);
  await restore.prepare();
  const { database, slot, manifestSha256, name } = restore.restoring!;
  const record = { step: 'record', database, slot, manifestSha256, startedAt, finishedAt: startedAt } as const;
  await expect(endDrill(dependencies(), record)).rejects.toMatchObject({ code: 'database_unproven' });
  expect([await drilling(), await recorded()]).toEqual([[name], []]);

  const cause = JSON.stringify({ errorType: 'SchemaNotApplied', errorMessage: 'VIEW public.totals', trace: [] });
  const fail = { step: 'fail', database, startedAt, error: 'SchemaNotApplied', cause, execution: EXECUTION } as const;
  for (let times = 0; times < 2; times += 1) await endDrill(dependencies(), fail);
  expect(await drilling()).toEqual([]);
  const error = `SchemaNotApplied: VIEW public.totals (${EXECUTION})`;
  expect(await recorded()).toMatchObject([{ outcome: 'failed', error }]);
});

test('a drill keeps others away while its workflow runs; of one that was stopped, the next drops the database at once, and records it as interrupted', async () => {
  const startedAt = new Date().toISOString();
  const stopped = begin(startedAt);
  await stopped.prepare();
  const { name } = stopped.restoring!;
  const at = (minutes: number, executions: object[]) => {
    const { sfn, workflow } = workflowThat(true);
    sfn
      .on(ListExecutionsCommand, { stateMachineArn: STATE_MACHINE, statusFilter: 'RUNNING' })
      .resolves({ executions: executions as never });
    return runDrill(dependencies({ workflow, clock: () => new Date(Date.now() + minutes * 60_000) }));
  };
  const refusal = { code: 'drill_running', message: expect.stringContaining(name) as string };
  await expect(at(23 * 60, [{ executionArn: EXECUTION }])).rejects.toMatchObject(refusal);
  // It may have begun so lately that Step Functions does not list it.
  await expect(at(0, [])).rejects.toMatchObject(refusal);
  // A restore leaves it to the drill, which records it.
  const inTwoDays = new SteppedRestore(site, 'unused', { clock: () => new Date(Date.now() + 2 * DAY_MS) });
  await inTwoDays.prepare();
  await inTwoDays.discard();
  expect([await drilling(), await recorded()]).toEqual([[name], []]);

  expect(await at(6, [])).toMatchObject({ outcome: 'started' });
  expect(await drilling()).toEqual([]);
  expect(await recorded()).toMatchObject([
    { started_at: new Date(`${startedAt.slice(0, 19)}Z`), outcome: 'interrupted' },
  ]);
});

test('a stopped drill is dropped after a day where Step Functions does not answer', async () => {
  const stopped = begin(new Date().toISOString());
  await stopped.prepare();
  const after = (ms: number) => runDrill(dependencies({ clock: () => new Date(Date.now() + ms) }));
  await expect(after(DAY_MS - 60_000)).rejects.toMatchObject({ code: 'drill_running' });
  expect(await after(DAY_MS + 60_000)).toMatchObject({ outcome: 'started' });
  expect(await drilling()).toEqual([]);
});
