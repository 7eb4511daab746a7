import type { BackupReport, StepReport } from '../../lambdas/backup/contract';
import type { StepReport as RestoreStepReport } from '../../lambdas/restore/contract';
import type { DrillStepReport } from '../../lambdas/drill/contract';
import { FunctionError } from '../../local/aws/lambda-process';
import type { LocalFunction } from '../../local/aws/lambda-runtime';
import { waitUntil } from '../../local/pass/check';
import { contentOf, readObject } from '../factories/archive';
import { TABLE_OF_SEVERAL_UPLOAD_PARTS } from '../factories/backup-function';
import { type BundledFunctions, startBundledFunctions } from '../factories/bundled-functions';
import { asAdministrator } from '../support/database';
import { objectStore } from '../support/object-store';
import { testServices } from '../support/services';
import { MINUTE } from '../support/states/clock';
import { ArchiveWorld } from '../support/states/archive-world';
import { RestoreWorld } from '../support/states/restore-world';
import { deployedDefinition } from '../support/states/deployed-definition';
import { StatesError } from '../../local/states/errors';
import { templatesOf } from '../lib/support';

/*
 * The workflow as the template has it, on a simulated RDS: its tasks are calls of the bundled function, in a process of its
 * own, and the instance that RDS restores is a real database that stands still.
 */
const DEFINITION = deployedDefinition(templatesOf('production'), 'BillingOps-production-archive-main');
const RESTORE = deployedDefinition(templatesOf('production'), 'BillingOps-production-restore-main');

let bundled: BundledFunctions;
let backup: LocalFunction;
let slots = 0;

/** The function takes steps only where a workflow asks for them. */
const startBackup = (): LocalFunction =>
  bundled.start('backup', {
    ...bundled.environments.backup,
    MAIN_ARCHIVE_WORKFLOW_ARN: 'arn:aws:states:eu-central-1:111111111111:stateMachine:archive-main',
  });

beforeAll(async () => {
  bundled = await startBundledFunctions();
  backup = startBackup();
  await write(`${TABLE_OF_SEVERAL_UPLOAD_PARTS};
    CREATE TABLE public.orders (id int PRIMARY KEY, total numeric NOT NULL);
    INSERT INTO public.orders SELECT n, n * 1.5 FROM generate_series(1, 5000) n;
    CREATE VIEW public.large_orders AS SELECT * FROM public.orders WHERE total > 100`);
});

afterAll(() => bundled.stop());

const database = () => bundled.databases.main.name;

/** By a session that ends. */
async function write(sql: string): Promise<void> {
  await asAdministrator((client) => client.query(sql), database());
  await waitUntil(async () => {
    const { rowCount } = await asAdministrator((client) =>
      client.query('SELECT FROM pg_stat_activity WHERE datname = $1', [database()]),
    );
    return rowCount === 0 ? undefined : 'sessions are still open';
  }, 10_000);
}

/** A world whose backup function is the bundled one, and whose instance is the test's server. */
function realWorld(): ArchiveWorld {
  const world = new ArchiveWorld();
  const s3 = objectStore();
  const { ARCHIVE_BUCKET: bucket = '' } = bundled.environments.backup ?? {};
  world.readList = async (key) => (await readObject({ s3, bucket }, key)).toString('utf8');
  world.answerStep = async (request) => {
    try {
      return (await backup.invoke({ ...request, host: testServices().cluster.host })) as StepReport;
    } catch (error) {
      if (error instanceof FunctionError) throw new StatesError(error.errorType, error.errorMessage);
      throw error;
    }
  };
  return world;
}

/** Restores an archive as the workflow does, by the bundled function. */
async function restoreInParts(archive: string, targetDatabase: string): Promise<void> {
  const restore = bundled.start('restore', bundled.environments.restore, { timeoutSeconds: 900 });
  const world = new RestoreWorld();
  world.answerStep = async (request) => (await restore.invoke(request)) as RestoreStepReport;
  const execution = await world.restore(RESTORE, { request: { archive, targetDatabase }, afterwards: 'keep' });
  expect(execution.cause).toBeUndefined();
}

function input() {
  const slot = `2026-11-21T0${slots++}:00:00Z`;
  return { slot, snapshotArn: 'arn:aws:rds:eu-central-1:1:snapshot:job', takenAt: '2026-11-20T23:04:00.000Z' };
}

test('a recovery point becomes an archive that restores to the same rows, and the instance is removed', async () => {
  const world = realWorld();
  const execution = await world.archive(DEFINITION, input());
  expect(execution.cause).toBeUndefined();
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: { outcome: 'created' } });
  expect(world.rds.identifiers).toEqual([world.id]);
  expect(world.steps.filter(({ step }) => step === 'part').length).toBeGreaterThan(3);

  const { slot } = execution.output as unknown as BackupReport;
  await restoreInParts(slot, 'large_restored');
  expect(await contentOf('large_restored')).toEqual(await contentOf(database()));
  await asAdministrator((client) => client.query('DROP DATABASE large_restored WITH (FORCE)'));

  const listed = await bundled.start('inspect').invoke({ action: 'archives', database: 'main' });
  expect(listed).toMatchObject({
    archives: [{ slot, signature: 'valid', recoveryPoint: { takenAt: '2026-11-20T23:04:00.000Z' } }],
  });
});

test('a function that is killed while it copies a part is called again, and the archive is whole', async () => {
  const world = realWorld();
  const { answerStep } = world;
  const kills: string[] = [];
  world.answerStep = async (request) => {
    if (request.step !== 'part' || kills.length > 0) return answerStep(request);
    const victim = backup;
    const kill = setTimeout(() => {
      backup = startBackup();
      victim.stop();
    }, 40);
    try {
      return await answerStep(request);
    } catch (error) {
      kills.push((error as StatesError).error);
      throw error;
    } finally {
      clearTimeout(kill);
    }
  };
  expect(await world.archive(DEFINITION, input())).toMatchObject({
    status: 'SUCCEEDED',
    output: { outcome: 'created' },
  });
  expect(kills).toEqual(['Runtime.ExitError']);
  expect(await bundled.start('inspect').invoke({ action: 'archives', database: 'main' })).toMatchObject({
    incomplete: [],
  });
});

test('an archive that was written in parts is restored in parts, though the function is killed while it loads rows', async () => {
  const { slot } = (await realWorld().archive(DEFINITION, input())).output as unknown as BackupReport;
  const world = new RestoreWorld();
  // As long as deployed: a call leaves a statement to the server a minute before its end.
  const startRestore = () => bundled.start('restore', bundled.environments.restore, { timeoutSeconds: 900 });
  let restore = startRestore();
  const kills: string[] = [];
  world.answerStep = async (request) => {
    const victim = restore;
    const isKilled = request.step === 'load' && kills.length === 0;
    const kill = setTimeout(() => isKilled && victim.stop(), 40);
    try {
      return (await victim.invoke(request)) as RestoreStepReport;
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      if (isKilled) kills.push(error.errorType);
      if (isKilled) restore = startRestore();
      throw new StatesError(error.errorType, error.errorMessage);
    } finally {
      clearTimeout(kill);
    }
  };
  const request = { archive: slot, targetDatabase: 'large_in_parts' };
  const execution = await world.restore(RESTORE, { request, afterwards: 'keep' });
  expect(execution.cause).toBeUndefined();
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: { slot, deviations: [], schemaDifferences: [] } });
  expect(kills).toEqual(['Runtime.ExitError']);
  expect(await contentOf('large_in_parts')).toEqual(await contentOf(database()));
  await asAdministrator((client) => client.query('DROP DATABASE large_in_parts WITH (FORCE)'));
});

test('an archive that was written in parts is drilled in parts by both functions: recorded, and the database dropped', async () => {
  const { slot } = (await realWorld().archive(DEFINITION, input())).output as unknown as BackupReport;
  const world = new RestoreWorld();
  world.clock.advance(Date.now() - world.clock.nowMs);
  const [restore, drill] = ['restore', 'drill'].map((name) =>
    bundled.start(name, bundled.environments[name], { timeoutSeconds: 900 }),
  ) as [LocalFunction, LocalFunction];
  world.answerStep = async (request) => (await restore.invoke(request)) as RestoreStepReport;
  world.answerDrill = async (request) => (await drill.invoke(request)) as DrillStepReport;
  const request = { archive: slot, targetDatabase: 'drill_main_20261121t120000z', purpose: 'drill' };
  const execution = await world.restore(RESTORE, { request, afterwards: 'drop' });
  expect(execution.cause).toBeUndefined();
  expect(execution).toMatchObject({ status: 'SUCCEEDED', output: { outcome: 'passed', slot, error: null } });
  const left = await asAdministrator((client) =>
    client.query(`SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, [`drilling_${database()}`]),
  );
  expect(left.rows).toEqual([]);
  const recorded = await asAdministrator(
    (client) => client.query('SELECT outcome, duration_ms IS NOT NULL AS timed FROM operations.drills'),
    database(),
  );
  expect(recorded.rows).toEqual([{ outcome: 'passed', timed: true }]);
});

test('an instance that is written to is no archive: the execution says so, and removes the instance', async () => {
  const world = realWorld();
  const { answerStep } = world;
  world.answerStep = async (request) => {
    if (request.step === 'publish') await write('INSERT INTO public.orders VALUES (-1, 1)');
    return answerStep(request);
  };
  const { status, error, cause } = await world.archive(DEFINITION, input());
  expect({ status, error }).toEqual({ status: 'FAILED', error: 'DatabaseChanged' });
  expect(cause).toContain('no incomplete archive was published');
  world.clock.advance(10 * MINUTE);
  expect(world.rds.identifiers).toEqual([world.id]);
});
