import { waitUntil } from '../../local/pass/check';
import { identify, isRunning } from '../../local/runtime/processes';
import type { MoveRequest, MoveStage } from '../../lambdas/move/contract';
import type { MoveServers, Place } from './move-servers';

/** What a move leaves on a server; a table without a primary key is one of the old server's. */
export const LEFT = `SELECT (SELECT count(*)::int FROM pg_subscription) AS subscriptions,
  (SELECT count(*)::int FROM pg_replication_slots) AS slots, (SELECT count(*)::int FROM pg_publication) AS publications,
  (SELECT count(*)::int FROM pg_roles WHERE rolname = 'billing_move') AS roles,
  (SELECT count(*)::int FROM pg_trigger WHERE tgname = 'a_moved') AS triggers,
  (SELECT relreplident FROM pg_class WHERE oid = 'billing.notes'::regclass) AS identity`;
/** Lock that stops a step before it changes its record to a stage; the trigger of `prepare` waits for it. */
export const beforeStage = (stage: MoveStage): string => `SELECT pg_advisory_xact_lock(hashtext('${stage}'))`;

export const NOTHING = { subscriptions: 0, slots: 0, publications: 0, roles: 0, triggers: 0, identity: 'd' };

/** What tests of a move do with its servers, time and again. */
export interface MoveSteps {
  /** Makes the tables of {@link LEFT} and of `write`, and the trigger of {@link beforeStage}. */
  readonly prepare: () => Promise<void>;
  /** As functions write: with the settings of the database. @returns the number of the row */
  readonly write: (place: Place, note: string) => Promise<unknown>;
  /** Ends a server at once, and waits until it has ended. */
  readonly crash: (place: Place) => Promise<void>;
  /**
   * Takes a step that meets the lock of a session, and loses its connections there, as if it was killed.
   *
   * @param lock SQL; a slot is made only when transactions that wrote have ended
   * @returns its error
   */
  readonly killed: (request: MoveRequest, place: Place, lock: string) => Promise<string>;
  readonly stageAt: (place: Place) => Promise<unknown[]>;
  /** From nothing to a copy that was compared. */
  readonly copied: () => Promise<void>;
  /** From nothing to the cut-over. */
  readonly moved: () => Promise<void>;
  /** As an operator drops what a move that was given up left. */
  readonly dropNew: () => Promise<unknown>;
  /** Neither command loses what was written on either server since, and both say what keeps it. */
  readonly expectBothKept: () => Promise<void>;
  /** A cut-over or a roll-back is refused while a rotation is under way, planned or confirmed. */
  readonly expectRotationRefused: (request: MoveRequest) => Promise<void>;
}

export function moveSteps(servers: () => MoveServers): MoveSteps {
  async function copied(): Promise<void> {
    await servers().step({ action: 'copy' });
    await waitUntil(async () => {
      const rows = await servers().rows('new', `SELECT FROM pg_subscription_rel WHERE srsubstate <> 'r'`);
      return rows.length === 0 ? undefined : `${rows.length} tables are being copied`;
    }, 30_000);
    await servers().step({ action: 'verify' });
  }

  return {
    async prepare() {
      await servers().rows(
        'old',
        `CREATE TABLE billing.notes (note text);
         CREATE TABLE billing.numbered (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
         CREATE FUNCTION operations.halt() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN PERFORM pg_advisory_xact_lock(hashtext(NEW.stage)); RETURN NEW; END $$;
         CREATE TRIGGER halt BEFORE UPDATE OF stage ON operations.moves FOR EACH ROW EXECUTE FUNCTION operations.halt()`,
      );
    },
    async write(place, note) {
      const sql = `INSERT INTO billing.numbered (note) VALUES ('${note}') RETURNING id`;
      const [row] = await servers().rows(place, sql);
      return (row as { readonly id: unknown }).id;
    },
    async crash(place) {
      const identity = identify(servers().clusters[place].pid);
      servers().crash(place);
      await waitUntil(
        async () => (identity && isRunning(identity) ? `the ${place} server is still running` : undefined),
        20_000,
      );
    },
    async killed(request, place, lock) {
      const both = servers();
      // A superuser may lock catalogs as well.
      const holder = await both.connect(place, 'superuser');
      // Sessions of functions would be ended.
      await holder.query(`SET application_name = 'move'; BEGIN READ WRITE; ${lock}`);
      const own = await holder.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      const stopped = both.confirmed(request).then(
        (report) => JSON.stringify(report),
        (error: unknown) => String(error),
      );
      await waitUntil(async () => {
        const { rows } = await holder.query(
          `SELECT FROM pg_locks WHERE NOT granted${lock.includes('advisory') ? ` AND locktype = 'advisory'` : ''}`,
        );
        return rows.length > 0 ? undefined : 'the step does not wait';
      }, 30_000);
      const end = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'move' AND backend_type = 'client backend'`;
      const others = `${end} AND pid <> ${own.rows[0]?.pid}`;
      // Where it waits last: the other server alone would not stop it.
      for (const each of [place === 'old' ? 'new' : 'old', place] as const) {
        if (identify(both.clusters[each].pid)) await both.rows(each, each === place ? others : end);
      }
      const outcome = await stopped;
      expect(outcome).toContain('connection');
      await holder.end();
      return outcome;
    },
    stageAt: (place) => servers().rows(place, 'SELECT stage FROM operations.moves ORDER BY started_at DESC LIMIT 1'),
    copied,
    async moved() {
      await copied();
      expect(await servers().confirmed({ action: 'cut-over' })).toMatchObject({ stage: 'cut-over' });
    },
    dropNew: () => servers().rows('new', 'DROP DATABASE billing WITH (FORCE)', 'superuser', 'postgres'),
    async expectBothKept() {
      expect((await servers().plan()).checks).toContainEqual({
        check: 'one server takes the writes',
        ok: false,
        detail: expect.stringContaining('to keep what was written on'),
      });
      for (const [action, code] of [
        ['cut-over', 'move_out_of_order'],
        ['roll-back', 'move_not_ready'],
      ] as const) {
        await expect(servers().confirmed({ action })).rejects.toMatchObject({
          code,
          message: expect.stringMatching(/stop .* and run ops move finish --early; .* roll-back --abandon/),
        });
      }
    },
    async expectRotationRefused(request) {
      const { secrets, arns } = servers();
      const rotation = jest.spyOn(secrets, 'rotation').mockResolvedValue({ isUnderway: true, nextAt: undefined });
      // A cut-over copies the password of the new server's administrator.
      const also = request.action === 'cut-over' ? `, ${arns.new}` : '';
      try {
        for (const attempt of [() => servers().step(request), () => servers().confirmed(request)]) {
          await expect(attempt()).rejects.toMatchObject({
            code: 'move_not_ready',
            message: expect.stringContaining(`${arns.login}${also} has begun and not ended`),
          });
        }
      } finally {
        rotation.mockRestore();
      }
    },
  };
}
