import type { WarmPosition } from './contract';
import type { Relation } from './relations';

/** Pages of a chunk, 64 MiB. Fewer cost round trips; more are read again when the time is up. */
const CHUNK_PAGES = 8192;
/** Divisor of the size of a chunk after a whole call was too short for it. */
const SHRINK_DIVISOR = 16;

/** Pages of one relation that are read with one statement: `from` up to, but without, `to`. */
export interface Chunk {
  readonly relation: Relation;
  readonly from: number;
  readonly to: number;
}

/** Walks through relations page by page: tables before indexes, each in the order of their object ids. */
export class PageCursor {
  private relations: readonly Relation[];
  private page = 0;
  private chunkPages = CHUNK_PAGES;

  /** @param start where an earlier call stopped; the relation may have vanished since */
  constructor(relations: readonly Relation[], start: WarmPosition | undefined) {
    this.relations = relations.filter(({ pages }) => pages > 0).toSorted(inReadingOrder);
    if (start === undefined) return;
    this.relations = this.relations.filter((relation) => inReadingOrder(relation, start) >= 0);
    const [first] = this.relations;
    if (!first || inReadingOrder(first, start) !== 0) return;
    this.chunkPages = start.chunkPages;
    this.advance(first, start.page);
  }

  get pagesLeft(): number {
    return this.relations.reduce((sum, { pages }) => sum + pages, 0) - this.page;
  }

  get position(): WarmPosition | null {
    const [relation] = this.relations;
    return relation ? { kind: relation.kind, oid: relation.oid, page: this.page, chunkPages: this.chunkPages } : null;
  }

  /** The next chunks, without moving past them. */
  nextChunks(count: number): Chunk[] {
    const chunks: Chunk[] = [];
    for (const [index, relation] of this.relations.entries()) {
      for (let from = index === 0 ? this.page : 0; from < relation.pages; from += this.chunkPages) {
        if (chunks.length === count) return chunks;
        chunks.push({ relation, from, to: Math.min(from + this.chunkPages, relation.pages) });
      }
    }
    return chunks;
  }

  /** Moves to a page of a relation; past its last page, to the next relation. */
  advance(relation: Relation, page: number): void {
    const index = this.relations.indexOf(relation);
    const isFinished = page >= relation.pages;
    this.relations = this.relations.slice(isFinished ? index + 1 : index);
    this.page = isFinished ? 0 : page;
    if (isFinished) this.chunkPages = CHUNK_PAGES;
  }

  /**
   * Makes the next chunk smaller because a whole call was too short for it. A chunk of a single page is skipped.
   *
   * @returns the skipped page, as `schema.table page n`
   */
  shrink(): string | undefined {
    const [relation] = this.relations;
    if (!relation) return undefined;
    if (this.chunkPages > 1) {
      this.chunkPages = Math.max(1, Math.floor(this.chunkPages / SHRINK_DIVISOR));
      return undefined;
    }
    const skipped = `${relation.name} page ${this.page}`;
    this.advance(relation, this.page + 1);
    return skipped;
  }
}

function inReadingOrder(one: Pick<Relation, 'kind' | 'oid'>, other: Pick<Relation, 'kind' | 'oid'>): number {
  return Number(one.kind === 'index') - Number(other.kind === 'index') || one.oid - other.oid;
}
