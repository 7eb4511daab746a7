import type { SimulatedEvent } from './objects';
import type { Random } from './random';

/** Shares of the events, from 0 to 1. */
export interface Chaos {
  /** Never delivered; reconciliation has to find them. */
  readonly dropped: number;
  /** Delivered a second time, at some later moment. */
  readonly doubled: number;
  /** Delivered after everything else of the same stretch of time. */
  readonly late: number;
  /** Events among which the order is random, as between concurrent deliveries. */
  readonly reorderedWithin: number;
}

export interface Deliveries {
  /** In the order in which the endpoint receives them, duplicates included. */
  readonly delivered: readonly SimulatedEvent[];
  readonly dropped: readonly SimulatedEvent[];
}

/** What becomes of events on their way: dropped, doubled, late, reordered. */
export function deliver(events: readonly SimulatedEvent[], chaos: Chaos, random: Random): Deliveries {
  const dropped: SimulatedEvent[] = [];
  const prompt: SimulatedEvent[] = [];
  const late: SimulatedEvent[] = [];
  for (const event of events) {
    if (random.chance(chaos.dropped)) {
      dropped.push(event);
      continue;
    }
    (random.chance(chaos.late) ? late : prompt).push(event);
    if (random.chance(chaos.doubled)) (random.chance(0.5) ? late : prompt).push(event);
  }
  const reordered: SimulatedEvent[] = [];
  for (let start = 0; start < prompt.length; start += chaos.reorderedWithin) {
    reordered.push(...random.shuffled(prompt.slice(start, start + chaos.reorderedWithin)));
  }
  return { delivered: [...reordered, ...random.shuffled(late)], dropped };
}

/** Pieces of random size, as the queue hands them to the processor. */
export function batchesOf<T>(items: readonly T[], largest: number, random: Random): T[][] {
  const batches: T[][] = [];
  for (let start = 0; start < items.length;) {
    const size = random.integer(1, largest);
    batches.push(items.slice(start, start + size));
    start += size;
  }
  return batches;
}
