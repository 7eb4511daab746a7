import type * as z from 'zod';
import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import { messageOf } from '../../core/runtime/errors';
import type { TaskRecord } from './contract';
import type { AuditedKey } from './key-audit';
import {
  type Ask,
  type Drill,
  drillList,
  type PlatformStatus,
  platformStatus,
  type ReconciliationRun,
  runList,
} from './inspected';

/** A run a day, and those that operators start. */
const RUNS = 60;
/** A drill a month, and those that operators start. */
const DRILLS = 10;

/** What the monthly report is written from. What could not be looked up is absent, and named in `problems`. */
export interface ReportFacts {
  readonly environment: string;
  readonly at: Date;
  readonly status?: PlatformStatus | undefined;
  readonly drills: Readonly<Record<DatabaseName, readonly Drill[] | undefined>>;
  readonly runs?: readonly ReconciliationRun[] | undefined;
  /** Keys of the API that are in force. */
  readonly keys?: readonly AuditedKey[] | undefined;
  /** The newest record of each task. */
  readonly maintenance: Readonly<Record<DatabaseName, readonly TaskRecord[] | undefined>>;
  readonly problems: readonly string[];
}

export interface FactSources {
  readonly environment: string;
  readonly clock: () => Date;
  readonly ask: Ask;
  /** Reads the newest record of each task of a database. */
  readonly readRecords: (database: DatabaseName) => Promise<readonly TaskRecord[]>;
  /** Reads the keys of the API that are in force. */
  readonly readKeys: () => Promise<readonly AuditedKey[]>;
}

/** Collects what the report is written from; one source that fails costs the report nothing else. */
export async function gatherFacts({
  environment,
  clock,
  ask,
  readRecords,
  readKeys,
}: FactSources): Promise<ReportFacts> {
  const problems: string[] = [];
  const attempt = async <T>(label: string, look: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await look();
    } catch (error) {
      problems.push(`${label}: ${messageOf(error)}`);
      return undefined;
    }
  };
  const answer = <Shape extends z.ZodType>(label: string, shape: Shape, question: Record<string, unknown>) =>
    attempt(label, async () => shape.parse(await ask(question)));
  const ofEach = async <T>(look: (database: DatabaseName) => Promise<T>): Promise<Record<DatabaseName, T>> => {
    const [billing, main] = await Promise.all(DATABASE_NAMES.map(look));
    return { billing, main } as Record<DatabaseName, T>;
  };
  const status = await answer('status', platformStatus, { action: 'status' });
  const runs = await answer('reconciliations', runList, { action: 'reconciliations', limit: RUNS });
  const drills = await ofEach(async (database) => {
    const list = await answer(`drills of ${database}`, drillList, { action: 'drills', database, limit: DRILLS });
    return list?.drills;
  });
  const keys = await attempt('API keys', readKeys);
  const maintenance = await ofEach((database) => attempt(`maintenance of ${database}`, () => readRecords(database)));
  problems.push(...(status?.problems ?? []));
  return { environment, at: clock(), status, drills, runs: runs?.runs, keys, maintenance, problems };
}
