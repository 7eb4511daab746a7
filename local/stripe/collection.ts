type Stored = { id: string; created: number };

/**
 * Objects of one kind in the order in which Stripe lists them: newest first, those of the same second in reverse order
 * of their creation. A page costs the logarithm of the collection and its own length, so 100,000 objects page as fast as
 * a hundred.
 */
export class Collection<T extends Stored> {
  private readonly objects = new Map<string, T>();
  /** Place of each object in the order of creation, which decides within a second. */
  private readonly sequence = new Map<string, number>();
  private oldestFirst: string[] = [];
  private sorted = true;

  get size(): number {
    return this.objects.size;
  }

  get(id: string): T | undefined {
    return this.objects.get(id);
  }

  /** @throws when there is no such object: the script that drives the stand-in is wrong */
  require(id: string): T {
    const object = this.objects.get(id);
    if (object === undefined) throw new Error(`The Stripe stand-in holds no ${id}`);
    return object;
  }

  /** Adds an object, or replaces the one of the same id; its time of creation never changes. */
  put(object: T): T {
    const known = this.objects.get(object.id);
    this.objects.set(object.id, object);
    if (known === undefined) {
      const newest = this.oldestFirst.at(-1);
      this.sorted &&= newest === undefined || this.require(newest).created <= object.created;
      this.sequence.set(object.id, this.sequence.size);
      this.oldestFirst.push(object.id);
    } else if (known.created !== object.created) {
      throw new Error(`${object.id} was created at ${known.created}, not at ${object.created}`);
    }
    return object;
  }

  /** A snapshot of all, newest first. */
  newestFirst(): T[] {
    return [...this.olderThan()];
  }

  /**
   * The objects after a cursor, newest first, as many as the caller takes.
   *
   * @param after id of the object that the walk begins after; @default the newest is the first
   * @param bounds of the creation time, both inclusive
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

  /** Like {@link olderThan}, from the cursor backwards: the nearest newer object comes first. */
  *newerThan(before: string): Generator<T> {
    this.sort();
    for (let position = this.positionOf(before) + 1; position < this.oldestFirst.length; position += 1) {
      yield this.at(position);
    }
  }

  private at(position: number): T {
    return this.require(this.oldestFirst[position] ?? '');
  }

  /** Old objects are put in between only while a story is set up, so once before the next list is enough. */
  private sort(): void {
    if (this.sorted) return;
    const key = (id: string): [number, number] => [this.require(id).created, this.sequence.get(id) ?? 0];
    const keyed = this.oldestFirst.map((id) => [id, ...key(id)] as const);
    this.oldestFirst = keyed.toSorted((a, b) => a[1] - b[1] || a[2] - b[2]).map(([id]) => id);
    this.sorted = true;
  }

  private positionOf(id: string): number {
    const { created } = this.require(id);
    const place = this.sequence.get(id) ?? 0;
    return this.partition((object) => {
      if (object.created !== created) return object.created < created;
      return (this.sequence.get(object.id) ?? 0) < place;
    });
  }

  private lastAtOrBefore(created: number): number {
    return this.partition((object) => object.created <= created) - 1;
  }

  /** Number of objects, from the oldest on, for which `holds` is true; it is for all before the first that it is not. */
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
