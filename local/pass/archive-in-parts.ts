import type { ArchiveReport, BackupReport } from '../../lambdas/backup/contract';
import type { RestoreReport } from '../../lambdas/restore/contract';
import type { ExecutionRecord } from '../states/executions';
import { duration } from '../runtime/console';
import { otherLoopback } from '../runtime/ports';
import { check, waitUntil } from './check';
import type { PassContext, Step } from './steps';

/** Longer than a state machine takes on a busy machine. */
const LONGEST_MS = 120_000;
const RESTORED = 'main_in_parts';

/**
 * Has the state machine archive main that archives a database above the streaming limit: from a copy that stands still, each
 * part by a call of its own. Another restores that archive in parts, proves it, and drops it.
 */
export const archiveInParts: Step = {
  title: 'Archive main in parts, as a database above the streaming limit, and restore it in parts',
  skip: ({ platform }) => (platform.execution ? undefined : 'the state machines run elsewhere'),
  async run(context, tell) {
    const { platform, main } = context;
    try {
      await otherLoopback(platform.databases.main.cluster.port);
    } catch (error) {
      tell(
        `not shown: the copy of the cluster has no address. ${error instanceof Error ? error.message : String(error)}`,
      );
      return;
    }
    const request = { database: 'main', slot: new Date().toISOString() };
    const backup = (await platform.invoke('backup', { ...request, inParts: true })) as BackupReport;
    const archived = await ended(context, backup);
    const archive = archived.output as unknown as ArchiveReport;
    check(archive.slot === backup.slot && archive.rows > 0, `the archive is another: ${JSON.stringify(archive)}`);
    tell(
      `archived  ${archive.rows} rows of ${archive.tables} tables from a copy of the cluster, a call for each part, ${took(archived)}: ${archive.manifestKey}`,
    );
    const target = { archive: archive.slot, targetDatabase: RESTORED, afterwards: 'drop' };
    const restore = (await platform.invoke('restore', { database: 'main', ...target })) as RestoreReport;
    const restored = await ended(context, restore);
    const proof = restored.output as unknown as Pick<RestoreReport, 'slot' | 'deviations' | 'schemaDifferences'>;
    check(proof.slot === archive.slot, `restored ${proof.slot} instead of ${archive.slot}`);
    const differences = [...proof.deviations.map(({ object }) => object), ...proof.schemaDifferences];
    check(differences.length === 0, `the restored schema is another: ${differences.join(', ')}`);
    tell(`restored  ${restore.rows} rows of ${restore.tables} tables, verified, ${took(restored)}`);
    const left = await main.query(
      "SELECT datname FROM pg_database WHERE datname = $1 OR starts_with(datname, 'restoring_')",
      [RESTORED],
    );
    check(left.rowCount === 0, `the restored database was left behind: ${JSON.stringify(left.rows)}`);
  },
};

/** The execution that a function has started, once it has ended well. */
async function ended(
  { platform }: Pick<PassContext, 'platform'>,
  { outcome, execution: arn = '' }: Pick<BackupReport | RestoreReport, 'outcome' | 'execution'>,
): Promise<ExecutionRecord> {
  check(outcome === 'started', `no workflow was started: ${outcome}`);
  const look = () => platform.execution?.(arn);
  await waitUntil(async () => (look()?.status === 'RUNNING' ? `${arn} still runs` : undefined), LONGEST_MS);
  const execution = look();
  check(execution?.status === 'SUCCEEDED', `${arn} ended as ${execution?.status}: ${execution?.cause}`);
  return execution;
}

function took({ startedAtMs, stoppedAtMs = startedAtMs }: ExecutionRecord): string {
  return duration(stoppedAtMs - startedAtMs);
}
