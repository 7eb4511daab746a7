import { OperationError } from '../runtime/errors';
import type { CapturedSchema, SchemaFacts } from './contract';
import { type DumpText, parseDump } from './text/dump-text';

/** A schema that was read and found whole, taken apart. */
export interface ReadSchema {
  readonly before: DumpText;
  readonly after: DumpText;
  readonly facts: SchemaFacts;
}

/**
 * Reads an archived schema.
 *
 * @throws OperationError `schema_malformed` naming the text that is cut off, holds what pg_dump does not write, or belongs
 * to another archive
 */
export function readSchema(captured: CapturedSchema): ReadSchema {
  const { before, after, facts } = captured;
  const parsed = {
    before: parseDump(before, 'The schema before the rows'),
    after: parseDump(after, 'The schema after the rows'),
  };
  for (const [part, { restrictKey }] of Object.entries(parsed)) {
    if (restrictKey === facts.key) continue;
    throw new OperationError(
      'schema_malformed',
      `The schema ${part} the rows belongs to another archive: its key is ${restrictKey}, not ${facts.key}`,
    );
  }
  return { ...parsed, facts };
}
