import { readdirSync, statSync } from 'node:fs';
import { ENVIRONMENT_FILE, ENVIRONMENT_FOLDER, ENVIRONMENT_NAME } from '../core/contract';

/** Folder with a file for each environment, where it is not `environments` in the current folder. */
export const ENVIRONMENTS_VARIABLE = 'OPS_ENVIRONMENTS';

/** The deployed environments that are described where the command runs; none outside of a checkout. */
export function environmentNames(environment: NodeJS.ProcessEnv): string[] {
  const folder = environment[ENVIRONMENTS_VARIABLE] ?? ENVIRONMENT_FOLDER;
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const names = readdirSync(folder).flatMap((file) => ENVIRONMENT_FILE.exec(file)?.[1] ?? []);
  // The schema that editors read lies beside them.
  return names.filter((name) => name !== 'schema' && ENVIRONMENT_NAME.test(name)).toSorted();
}
