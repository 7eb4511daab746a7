type Stored = { id: string; created: number };

/**
 * Objects of one kind in the order in which Stripe lists them: newest first, and within one second in reverse order of their
 * creation. A page takes time in proportion to its own length and the logarithm of the collection's, so 100,000 objects
 * are paged as fast as a hundred.
 */
export class Collection<T extends Stored> {
  private readonly objects = new Map<string, T>();
  /** Position of each object in the order of creation, which decides within one second. */
  private readonly sequence = new Map<string, number>();
  private oldestFirst: string[] = [];
  private sorted = true;
  private added = 0;

  get size(): number {
    return this.objects.size;
  }

  get(id: string): T | undefined {
    return this.objects.get(id);
  }

  /** @throws Error when there is no such object: the caller has a wrong id */
  require(id: string): T {
    const object = this.objects.get(id);
    if (object === undefined) throw new Error(`The Stripe stand-in has no ${id}`);
    return object;
  }

  /** Adds an object, or replaces the one of the same id; its time of creation never changes. */
  put(object: T): T {
    const known = this.objects.get(object.id);
    this.objects.set(object.id, object);
    if (known === undefined) {
      const newest = this.oldestFirst.at(-1);
      this.sorted &&= newest === undefined || this.require(newest).created <= object.created;
      this.sequence.set(object.id, (this.added += 1));
      this.oldestFirst.push(object.id);
    } else if (known.created !== object.created) {
      throw new Error(`${object.id} was created at ${known.created}, not at ${object.created}`);
    }
    return object;
  }

  /** Removes an object, if it is there. */
  delete(id: string): void {
    if (!this.objects.delete(id)) return;
    this.oldestFirst = this.oldestFirst.filter((other) => other !== id);
  }

  /** All objects at this moment, newest first. */
  newestFirst(): T[] {
    return [...this.olderThan()];
  }

  /**
   * The objects older than a cursor, newest first.
   *
   * @param after id of the cursor. @default none; the newest object is the first
   * @param bounds of the creation time in seconds since 1970, both inclusive
   */
  *olderThan(after?: string, bounds: { from?: number; to?: number } = {}): Generator<T> {
    this.sort();
    let position = this.lastAtOrBefore(bounds.to ?? Number.POSITIVE_INFINITY);
    if (after !== undefined) position = Math.min(position, this.positionOf(after) - 1);
    for (; position >= 0; position -= 1) {
      const object = this.at(position);
      if (object.created < (bounds.from ?? 0)) return;
      yield object;
    }
  }

  /** The objects newer than a cursor, oldest first. */
  *newerThan(before: string): Generator<T> {
    this.sort();
    for (let position = this.positionOf(before) + 1; position < this.oldestFirst.length; position += 1) {
      yield this.at(position);
    }
  }

  private at(position: number): T {
    return this.require(this.oldestFirst[position] ?? '');
  }

  /** Older objects are added only while a test is set up, so sorting once before the next list is enough. */
  private sort(): void {
    if (this.sorted) return;
    const key = (id: string): [number, number] => [this.require(id).created, this.sequence.get(id) ?? 0];
    const keyed = this.oldestFirst.map((id) => [id, ...key(id)] as const);
    this.oldestFirst = keyed.toSorted((a, b) => a[1] - b[1] || a[2] - b[2]).map(([id]) => id);
    this.sorted = true;
  }

  private positionOf(id: string): number {
    const { created } = this.require(id);
    const position = this.sequence.get(id) ?? 0;
    return this.partition((object) => {
      if (object.created !== created) return object.created < created;
      return (this.sequence.get(object.id) ?? 0) < position;
    });
  }

  private lastAtOrBefore(created: number): number {
    return this.partition((object) => object.created <= created) - 1;
  }

  /** Number of objects, from the oldest on, for which `holds` is true; behind the first `false` it must stay false. */
  private partition(holds: (object: T) => boolean): number {
    let [low, high] = [0, this.oldestFirst.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (holds(this.at(middle))) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
