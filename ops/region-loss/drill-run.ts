import { randomUUID } from 'node:crypto';
import { callerName } from '../audit';
import type { Context } from '../context';
import { CommandError, explain } from '../errors';
import { duration } from '../print/units';
import {
  assertLatest,
  newDrill,
  readRecord,
  recordKey,
  type RegionDrill,
  runningDrill,
  TakenOver,
  writeRecord,
} from './drill-record';
import type { SecondRegion } from './place';

/**
 * A drill: its record, and how it is written after each step. Each write replaces the version that this run wrote last, so that a
 * run whose drill another one has taken over ends at its next step.
 */
export class Drill {
  private isBegun: boolean;

  /** @param etag of the record that it continues; a new drill has none until it begins, and nothing to take back either */
  constructor(
    readonly context: Context,
    readonly place: SecondRegion,
    readonly record: RegionDrill,
    private etag?: string,
  ) {
    this.isBegun = etag !== undefined;
  }

  /** @throws CommandError `refused` where another drill has begun since this one looked for one */
  async begin(): Promise<void> {
    const isNew = !this.isBegun;
    this.isBegun = true;
    await this.save();
    // Of two that begin at once, the second to write sees the record of the first.
    const { startedAt } = this.record;
    const other = await runningDrill(await this.place.clients.s3(), this.place.bucket, startedAt);
    if (other === undefined) return;
    const { by, into } = other.record;
    if (isNew) await this.close('abandoned');
    throw new CommandError(
      'refused',
      `${by} began a drill into ${into} at the same time: this one has ${isNew ? 'made nothing' : 'stopped'}. Let the other one end, or add --abandon to clean up after it`,
    );
  }

  async save(): Promise<void> {
    const { place, record } = this;
    if (this.isBegun) this.etag = await writeRecord(await place.clients.s3(), place.bucket, record, this.etag);
  }

  /** @throws TakenOver where another run has taken the drill over since this one wrote its record */
  async assertOwn(): Promise<void> {
    const { place, record, etag } = this;
    await assertLatest(await place.clients.s3(), place.bucket, record, etag);
  }

  /**
   * Looks again after something was made, which may be later than another run looked for it.
   *
   * @param undo where the other run takes back what was made, or has: one that continues uses it, and takes it back itself
   * @throws TakenOver as `assertOwn`
   */
  async assertStillOwn(undo: () => Promise<unknown>): Promise<void> {
    try {
      await this.assertOwn();
    } catch (error) {
      if (!(error instanceof TakenOver)) throw error;
      const { place, record } = this;
      const theirs = await readRecord(await place.clients.s3(), place.bucket, recordKey(record.startedAt));
      if (theirs.record.abandoning || theirs.record.outcome !== 'running') await undo();
      throw error;
    }
  }

  async close(outcome: Exclude<RegionDrill['outcome'], 'running'>): Promise<void> {
    Object.assign(this.record, { outcome, endedAt: this.context.now().toISOString() });
    await this.save();
  }

  /** Takes a step, says how long it took, and records that. A step that fails is recorded as well. */
  async step<Result>(
    step: string,
    take: () => Promise<{ readonly detail: string; readonly result: Result }>,
  ): Promise<Result> {
    const { context, record } = this;
    const startedAt = context.now();
    const ended = async (detail: string, done: boolean): Promise<void> => {
      const durationMs = context.now().getTime() - startedAt.getTime();
      record.steps.push({ step, startedAt: startedAt.toISOString(), durationMs, detail, done });
      context.note(`${step}: ${detail} (${duration(durationMs)})`);
      await this.save();
    };
    context.note(`${step} …`);
    try {
      const { detail, result } = await take();
      await ended(detail, true);
      return result;
    } catch (error) {
      await ended(explain(error, step, this.place.target.label).message, false).catch((failure: unknown) => {
        // A run that lost its drill may have failed because of what the other run removed.
        if (failure instanceof CommandError) throw failure;
      });
      throw error;
    }
  }
}

/** Begins a drill, or takes over the one that was interrupted. */
export async function openDrill(context: Context, place: SecondRegion, into: string): Promise<Drill> {
  const { environment } = context.target;
  const last = await runningDrill(await place.clients.s3(), place.bucket);
  if (last !== undefined) {
    const { record, etag } = last;
    if (record.into !== into) {
      throw new CommandError(
        'refused',
        `A drill into ${record.into} was interrupted: continue it with --into ${record.into}, or add --abandon to clean up after it`,
      );
    }
    const drill = new Drill(context, place, takenOver(record, { abandoning: false }), etag);
    await drill.save();
    context.note(
      `Continuing the drill that ${record.by} began at ${record.startedAt}; a run that is still at it stops`,
    );
    return drill;
  }
  const record = newDrill({
    environment,
    into,
    region: place.region,
    startedAt: context.now().toISOString(),
    by: await callerName(context.clients, context.target),
    run: randomUUID(),
  });
  return new Drill(context, place, record);
}

/** The record as the next run writes it. */
export const takenOver = (record: RegionDrill, { abandoning }: { readonly abandoning: boolean }): RegionDrill => ({
  ...record,
  runs: record.runs + 1,
  run: randomUUID(),
  abandoning,
});
