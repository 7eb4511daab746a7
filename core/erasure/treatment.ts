import { escapeIdentifier } from 'pg';
import type { ErasureHook, HookTreatment } from './contract';
import type { ColumnFacts } from './hooked-tables';
import type { ErasureKey, Subject } from './key';

const BLANK = 'erased';
const PREFIX = 'erased-';
/** Hexadecimal digits of a pseudonym, here and in billing. */
const PSEUDONYM_DIGITS = 20;
/** Fewer random digits might meet another row's in a UNIQUE column. */
const LEAST_RANDOM_DIGITS = 12;
const SAMPLE_DIGITS = '0123456789abcdef0123';

const randomDigits = (maxLength: number | null): number =>
  Math.min(PSEUDONYM_DIGITS, (maxLength ?? Infinity) - PREFIX.length);

/** Characters that a treatment needs at least. */
export function lengthOf(treatment: HookTreatment, { uniqueIndexes }: ColumnFacts): number {
  if (treatment === 'pseudonymise') return PREFIX.length + PSEUDONYM_DIGITS;
  return uniqueIndexes.length > 0 ? PREFIX.length + LEAST_RANDOM_DIGITS : BLANK.length;
}

/** What a treatment may write into a column; null for NULL. */
export function sampleOf(treatment: HookTreatment, { uniqueIndexes, maxLength }: ColumnFacts): string | null {
  if (treatment === 'drop') return null;
  if (treatment === 'pseudonymise') return PREFIX + SAMPLE_DIGITS;
  return uniqueIndexes.length > 0 ? PREFIX + SAMPLE_DIGITS.slice(0, randomDigits(maxLength)) : BLANK;
}

/** SQL of the digest of a user, as `ErasureKey.subject` makes it. $1 and $2 are the pads. */
export const digestOfUser = (column: string): string =>
  `sha256($2::bytea || sha256($1::bytea || convert_to('user:' || ${column}::text, 'UTF8')))`;

/**
 * SQL of whether a row is an erased user's: by the digest of the id, or by the pseudonym that an earlier erasure put in its place, so
 * that hooks which were added since reach the row. The parameters are {@link userParameters}.
 */
export function isOfErasedUser(row: string, userColumn: string): string {
  const column = `${row}.${escapeIdentifier(userColumn)}`;
  return `(${digestOfUser(column)} = ANY ($3::bytea[]) OR ${column}::text = ANY ($4::text[]))`;
}

/** The pads of the key, the digests of the users, and their pseudonyms. */
export function userParameters(key: ErasureKey, users: readonly Subject[]): readonly unknown[] {
  const { inner, outer } = key.pads;
  return [
    inner,
    outer,
    users.map(({ digest }) => Buffer.from(digest, 'hex')),
    users.map(({ digest }) => pseudonymOf(digest)),
  ];
}

/** What stands in the place of a user. */
export const pseudonymOf = (digest: string): string => PREFIX + digest.slice(0, PSEUDONYM_DIGITS);

/** SQL of what a hook makes of a column of `stored`, and of whether the column is not that already. */
export function assignmentOf(
  { column: name, treatment, userColumn }: ErasureHook,
  { uniqueIndexes, maxLength }: ColumnFacts,
): { readonly column: string; readonly value: string; readonly differs: string } {
  const column = escapeIdentifier(name);
  const text = `stored.${column}::text`;
  if (treatment === 'blank' && uniqueIndexes.length > 0) {
    const isDone = `(${text} IS NULL OR ${text} ~ '^${PREFIX}[0-9a-f]{${LEAST_RANDOM_DIGITS},${PSEUDONYM_DIGITS}}$')`;
    // Random, and not a digest: one of the former value would be that of another row as soon as the value is used again.
    const random = `'${PREFIX}' || left(replace(gen_random_uuid()::text, '-', ''), ${randomDigits(maxLength)})`;
    return { column, value: `CASE WHEN ${isDone} THEN ${text} ELSE ${random} END`, differs: `NOT ${isDone}` };
  }
  const user = `stored.${escapeIdentifier(userColumn)}`;
  const pseudonym = `CASE WHEN ${user}::text = ANY ($4::text[]) THEN ${user}::text
    ELSE '${PREFIX}' || left(encode(${digestOfUser(user)}, 'hex'), ${PSEUDONYM_DIGITS}) END`;
  const value = treatment === 'drop' ? 'NULL' : treatment === 'blank' ? `'${BLANK}'` : pseudonym;
  // NULL as it is: the column may be of any type.
  return treatment === 'drop'
    ? { column, value, differs: `stored.${column} IS NOT NULL` }
    : { column, value, differs: `${text} IS DISTINCT FROM ${value}` };
}
