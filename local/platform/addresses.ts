import type { DatabaseName } from '../../core/contract';
import type { LocalDatabaseServer } from '../postgres/databases';
import type { FunctionDefinition } from '../template/platform-template';

/**
 * The functions with the addresses of this start in their environments, in place of those of the template.
 *
 * @param second server that billing may be moved to. @default - none: there is no function for it
 * @param archiveWorkflows ARN of the state machine that archives a database in parts. @default - none
 */
export function withAddresses(
  functions: readonly FunctionDefinition[],
  databases: Readonly<Record<DatabaseName, Pick<LocalDatabaseServer, 'cluster'>>>,
  apiBases: { readonly stripe: string; readonly tilled: string },
  second?: Pick<LocalDatabaseServer, 'cluster'>,
  archiveWorkflows: Readonly<Partial<Record<DatabaseName, string>>> = {},
): FunctionDefinition[] {
  const { billing, main } = databases;
  const addresses: Readonly<Record<string, string>> = {
    BILLING_DATABASE_PORT: String(billing.cluster.port),
    MAIN_DATABASE_PORT: String(main.cluster.port),
    STRIPE_API_BASE: apiBases.stripe,
    TILLED_API_BASE: apiBases.tilled,
    ...(archiveWorkflows.billing && { BILLING_ARCHIVE_WORKFLOW_ARN: archiveWorkflows.billing }),
    ...(archiveWorkflows.main && { MAIN_ARCHIVE_WORKFLOW_ARN: archiveWorkflows.main }),
    ...(second && { MOVE_PORT: String(second.cluster.port) }),
  };
  const present = functions.filter(({ environment }) => second !== undefined || environment.MOVE_PORT === undefined);
  return present.map((definition) => ({
    ...definition,
    environment: Object.fromEntries(
      Object.entries(definition.environment).map(([name, value]) => [name, addresses[name] ?? value]),
    ),
  }));
}
