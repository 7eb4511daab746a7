import type { Manifest } from '../../core/archive/manifest';
import { haveSameVersions, schemaVersionOf } from '../../core/archive/schema-version';
import type { SignedStore } from '../../core/archive/signed-manifest';
import { normaliseSlot } from '../../core/archive/slot';
import { compareArchivedSchemas } from '../../core/restore/archived-texts';
import { findArchive, findEarlierArchive } from '../../core/restore/select-archive';
import { InvalidRequestError, OperationError } from '../../core/runtime/errors';
import type { SchemaDifference } from '../../core/schema/contract';
import type { InspectionReport, InspectionRequest } from './contract';

type Report = InspectionReport<'schema-changes'>;

/** An answer of Lambda has 6 MB at most. */
const MOST_OBJECTS = 1_000;
const MOST_LINES = 5_000;
const LONGEST_LINE = 300;

/**
 * What differs between the schemas of two archives. Both have to be signed by a backup of this environment.
 *
 * @throws InvalidRequestError when `from` is not before `to`
 * @throws OperationError `archive_not_found`, `archive_unsupported` for one of version 1, or as `compareArchivedSchemas` and
 * `readManifest` do
 */
export async function listSchemaChanges(
  store: SignedStore,
  { database, from, to }: InspectionRequest<'schema-changes'>,
): Promise<Report> {
  const later = await findArchive(store, database, { archive: to ?? 'latest' });
  if (from !== undefined && normaliseSlot(from) >= later.slot) {
    throw new InvalidRequestError(
      `from: ${normaliseSlot(from)} is not before ${later.slot}, the archive to compare with`,
    );
  }
  const earlier =
    from === undefined
      ? await findEarlierArchive(store, database, later.slot)
      : await findArchive(store, database, { archive: from });
  if (earlier === undefined) {
    throw new OperationError(
      'archive_not_found',
      `The ${database} database has no archive from before ${later.slot} to compare with: take another backup first`,
    );
  }
  const differences = await compareArchivedSchemas(store, earlier, later);
  return {
    action: 'schema-changes',
    database,
    from: describe(earlier),
    to: describe(later),
    recorded: !haveSameVersions(earlier, later),
    total: differences.length,
    changes: withinLimits(differences),
  };
}

function describe(manifest: Manifest): Report['from'] {
  return { slot: manifest.slot, schemaVersion: schemaVersionOf(manifest) };
}

function withinLimits(differences: readonly SchemaDifference[]): Report['changes'] {
  let linesLeft = MOST_LINES;
  return differences.slice(0, MOST_OBJECTS).map(({ kind, object, lines }) => {
    const shown = lines.slice(0, linesLeft);
    linesLeft -= shown.length;
    return {
      change: kind,
      object,
      lines: shown.map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line)),
      linesLeftOut: lines.length - shown.length,
    };
  });
}
