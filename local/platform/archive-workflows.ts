import type { DatabaseName } from '../../core/contract';

/** File of the assembly with the state machines that archive a copy of each database. */
export const ARCHIVE_WORKFLOWS = 'archive-workflows.json';

/** What the clusters are called as instances of RDS. */
export const INSTANCE_IDENTIFIERS: Readonly<Record<DatabaseName, string>> = {
  billing: 'local-billing',
  main: 'local-main',
};
