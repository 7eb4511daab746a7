import { firstNested } from '../../local/stripe/nested-lists';
import type { SimulatedEvent } from './objects';
import { previousAttributes } from './previous-attributes';
import type { Random } from './random';

const API_VERSION = '2026-10-28.endive';

/** Runs what was scheduled, in order of time; what is due at the same second runs in the order of scheduling. */
export class Agenda {
  now: number;
  private sequence = 0;
  private readonly entries: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];

  constructor(start: number) {
    this.now = start;
  }

  /** @param at seconds since 1970; the past means now */
  schedule(at: number, run: () => void): void {
    const entry = { at: Math.max(at, this.now), order: (this.sequence += 1), run };
    let low = 0;
    let high = this.entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.entries[middle]!.at <= entry.at) low = middle + 1;
      else high = middle;
    }
    this.entries.splice(low, 0, entry);
  }

  /** Advances the clock, running everything that is due until then. */
  advanceTo(moment: number): void {
    for (;;) {
      const next = this.entries[0];
      if (next === undefined || next.at > moment) break;
      this.entries.shift();
      this.now = next.at;
      next.run();
    }
    this.now = moment;
  }
}

/** Every event of the simulated Stripe, in the order in which it happened. Ids are random: they tell nothing of it. */
export class EventLog {
  private readonly pending: SimulatedEvent[] = [];

  constructor(
    private readonly agenda: Agenda,
    private readonly random: Random,
  ) {}

  id(prefix: string): string {
    const part = () => Math.floor(this.random.next() * 2 ** 32).toString(36);
    return `${prefix}_${part()}${part()}${part()}`;
  }

  /**
   * An event about the object as it is now. Fields of objects are replaced and never changed in place, so a shallow copy
   * is a snapshot.
   *
   * @param previous values before, of the fields that changed
   */
  emit(type: string, object: object, previous?: object): void {
    this.pending.push({
      id: this.id('evt'),
      object: 'event',
      type,
      api_version: API_VERSION,
      created: this.agenda.now,
      livemode: false,
      data: {
        object: firstNested({ ...object }),
        ...(previous === undefined ? {} : { previous_attributes: previous }),
      },
    });
  }

  /** Changes fields of an object and emits the event that tells of it; only some types say what was there before. */
  change<T extends object>(type: string, object: T, changes: Partial<T>): void {
    const before = { ...object };
    Object.assign(object, changes);
    const tells = type.endsWith('.updated') || type.startsWith('charge.');
    this.emit(type, object, tells ? previousAttributes(before, object) : undefined);
  }

  /** The events since the last call. */
  take(): SimulatedEvent[] {
    return this.pending.splice(0);
  }
}
