import type { DatabaseName } from '../../core/contract';

/** Last part of the name of the function that rotates the password of a database. AWS provides its code. */
export function rotationStem(database: DatabaseName): string {
  return `rotate-${database}`;
}
