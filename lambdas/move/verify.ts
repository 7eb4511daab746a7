import type { VerifyReport } from './contract';
import { compareTable, differencesOfSchema } from './compare';
import { outOfOrder, recordVerified } from './record';
import { assertCopied } from './ready';
import { connected, withServers, type MoveDependencies } from './servers';
import { BEATS, label, replicatedTables } from './tables';

/**
 * Compares schema and rows of both servers, while one takes writes and replication sends them to the other. Ends before the
 * time of the function is up, and says where to continue.
 *
 * @throws OperationError `move_out_of_order`; `move_not_ready` while tables are being copied; `move_stuck` where a row that was
 * written does not arrive
 */
export async function verify(
  dependencies: MoveDependencies,
  { continueFrom, equalSoFar }: { readonly continueFrom?: string | undefined; readonly equalSoFar: boolean },
): Promise<VerifyReport> {
  return withServers(dependencies, async (servers) => {
    const { move } = servers;
    if (move?.stage !== 'copying' && move?.stage !== 'cut-over') throw outOfOrder('verify', move, 'ops move copy');
    const [source, target] = [connected(servers.source), connected(servers.target)];
    const isBack = move.stage === 'cut-over';
    if (!isBack) await assertCopied(target);
    const schemaOptions = { workerFile: dependencies.pgDumpWorker, known: move.knownDifferences };
    const schemaDifferences =
      continueFrom === undefined
        ? (await differencesOfSchema(source.connector, target.connector, schemaOptions)).map(({ text }) => text)
        : [];
    const live = isBack ? ({ server: target, side: 'target' } as const) : ({ server: source, side: 'source' } as const);
    const all = (await replicatedTables(source.client)).filter((table) => label(table) !== BEATS);
    const start = continueFrom === undefined ? 0 : all.findIndex((table) => label(table) === continueFrom);
    const tables: VerifyReport['tables'] = [];
    let next: string | null = null;
    for (const table of all.slice(Math.max(0, start))) {
      if (tables.length > 0 && dependencies.remainingMs() < 0) {
        next = label(table);
        break;
      }
      tables.push({ table: label(table), ...(await compareTable(source, target, table, live)) });
    }
    const equal = equalSoFar && schemaDifferences.length === 0 && tables.every(({ differences }) => differences === 0);
    if (equal && next === null && !isBack) await recordVerified(source.client, move);
    return {
      stage: move.stage,
      source: source.name,
      target: target.name,
      equal,
      schemaDifferences,
      tables,
      rows: tables.reduce((sum, { rows }) => sum + rows, 0),
      continueFrom: next,
    };
  });
}
