import type { FunctionLogin } from '../../core/access/contract';
import type { DatabaseName } from '../../core/contract';

/**
 * Last part of the name of the function that rotates the password of a database's owner, or of one of its logins. AWS provides
 * its code.
 */
export function rotationStem(database: DatabaseName, login?: FunctionLogin): string {
  return login === undefined ? `rotate-${database}` : `rotate-${database}-${login}`;
}
