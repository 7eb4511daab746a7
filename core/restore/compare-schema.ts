import { OperationError } from '../runtime/errors';
import { compareReadSchemas, formatDifferences } from '../schema/compare';
import type { Deviation, SchemaDifference } from '../schema/contract';
import { withoutWording } from '../schema/normalise';
import type { ReadSchema } from '../schema/read-schema';

/** Who owns an object and may use it, and what people say about it. */
const PROPERTY = /^(?:ACL|COMMENT|DEFAULT ACL|OWNER|SECURITY LABEL|DATABASE|EXTENSION VERSION) /;
/** Differences in an error; there may be thousands. */
const SHOWN = 5;
/**
 * Compares the schema of a restored database with the archived one.
 *
 * @param deviations what the server refused, which explains why it is missing
 * @returns what differs without being refused, to be looked at: `changed: TABLE public.orders`
 * @throws OperationError `schema_not_applied` when an object is missing, or is there without being in the archive
 */
export function assertSameSchema(
  archived: ReadSchema,
  restored: ReadSchema,
  deviations: readonly Deviation[],
): string[] {
  const refused = new Set(deviations.map(({ object }) => object));
  const isNewer = restored.facts.serverMajor !== archived.facts.serverMajor;
  const differences = compareReadSchemas(archived, restored).filter(
    (difference) => !refused.has(difference.object) && !isWordingAlone(difference),
  );
  const severe = differences.filter(
    ({ kind, object }) => kind !== 'changed' && !PROPERTY.test(object) && !isNewer && !dependsOn(refused, object),
  );
  if (severe.length > 0) {
    const shown = formatDifferences(severe.slice(0, SHOWN));
    throw new OperationError(
      'schema_not_applied',
      `The restored schema is not the archived one in ${severe.length} objects:\n${shown}`,
    );
  }
  return differences.map(({ kind, object }) => `${kind}: ${object}`);
}

/** Comments and privileges of what was refused, or its columns, are missing as well. */
function dependsOn(refused: ReadonlySet<string>, object: string): boolean {
  return [...refused].some((one) => object.startsWith(`${one} `) || object.endsWith(` of ${one}`));
}

function isWordingAlone({ kind, lines }: SchemaDifference): boolean {
  if (kind !== 'changed') return false;
  const of = (sign: string) =>
    lines
      .filter((line) => line.startsWith(sign))
      .map((line) => line.slice(1))
      .join('');
  return withoutWording(of('-')) === withoutWording(of('+'));
}
