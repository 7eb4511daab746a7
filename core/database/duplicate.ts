import { DatabaseError } from 'pg';

const DUPLICATE = ['42P04', '42710'];
const UNIQUE_VIOLATION = '23505';

/**
 * Whether a database, a role or the like was refused because its name is taken. PostgreSQL looks the name up first, so of two
 * sessions that create it at the same moment the later one violates the unique index of the catalog instead.
 */
export function isNameTaken(error: unknown): boolean {
  if (!(error instanceof DatabaseError) || error.code === undefined) return false;
  return DUPLICATE.includes(error.code) || (error.code === UNIQUE_VIOLATION && error.schema === 'pg_catalog');
}
