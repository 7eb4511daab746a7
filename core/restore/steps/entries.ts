import type { Client } from 'pg';
import { withConnection } from '../../database/connector';
import { OperationError } from '../../runtime/errors';
import { Deviations } from '../../schema/apply/deviations';
import { prepareForEntries } from '../../schema/apply/restore-schema';
import { runEntries } from '../../schema/apply/run-entries';
import type { DumpEntry, DumpText } from '../../schema/text/dump-text';
import { describeEntry } from '../../schema/text/describe-entry';
import type { RestoreDependencies } from '../restore-phases';
import { readDeviations, readSteps, recordStep } from './journal';
import { runToEnd } from './long-statement';

/** Class of SQLSTATE of rows that break a key: another attempt would take as long, and fail as well. */
const BROKEN_BY_ROWS = /^23/;

/** Statements of an archive, and the step that each of them is. */
export interface EntryStep {
  readonly step: string;
  readonly entry: DumpEntry;
}

/** Works on a database that is being restored, over a connection with the settings that a dump relies on. */
export function withEntrySession<T>(
  { connector }: Pick<RestoreDependencies, 'connector'>,
  after: DumpText,
  name: string,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  return withConnection(
    connector,
    async (client) => {
      await prepareForEntries(client, after);
      return work(client);
    },
    name,
  );
}

/**
 * Runs entries in their order, each once, as far as the time of the call goes.
 *
 * @param client see {@link withEntrySession}; after `false` it can only be ended
 * @param failures `judge`: what the server refuses is listed as a deviation, or ends the restore; `leave`: it is left for later
 * @returns whether all of them are there; otherwise the next call goes on
 * @throws OperationError `archive_inconsistent` when rows break a key; with `judge`, as {@link runEntries} does
 */
export async function runEntriesOnce(
  client: Client,
  entries: readonly EntryStep[],
  failures: 'judge' | 'leave',
  stop: AbortSignal,
): Promise<boolean> {
  const taken = await readSteps(client, entries[0]?.step.replace(/[0-9]+$/, '') ?? '');
  for (const { step, entry } of entries) {
    if (taken.has(step) && taken.get(step)?.code === undefined) continue;
    if (stop.aborted) return false;
    const ended = await runToEnd(client, step, [...entry.settings, ...entry.statements].join('\n'), stop);
    if (ended.state === 'running') return false;
    if (ended.state === 'done') continue;
    if (BROKEN_BY_ROWS.test(ended.code) && entry.type !== 'CHECK CONSTRAINT') {
      throw new OperationError(
        'archive_inconsistent',
        `The rows of the archive break ${describeEntry(entry)}: ${ended.message}`,
      );
    }
    if (failures === 'leave') continue;
    const earlier = await readDeviations(client);
    const deviations = new Deviations(earlier);
    await runEntries(client, [entry], deviations);
    await client.query(recordStep(step, { deviations: deviations.all().slice(earlier.length) }));
  }
  return true;
}
