import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import type { BackupEnvironment } from '../../lambdas/backup/contract';
import type { InspectionReport } from '../../lambdas/inspect/contract';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { bytes } from '../print/units';
import { type Finding, judged } from './finding';

const GIB = 1024 ** 3;

/**
 * How a database is archived that is too large for one call. Wrong where it is as large already, and no workflow archives it:
 * nothing newer is restored then, drilled, or a source of rows.
 *
 * @param databases with their sizes, as far as the status of the platform has them
 */
export async function checkLargeArchives(
  context: Pick<Context, 'clients' | 'target' | 'signal'>,
  databases: readonly Pick<InspectionReport<'status'>['databases'][number], 'database' | 'sizeBytes'>[],
): Promise<Finding[]> {
  const { variables } = await configurationOf<BackupEnvironment>(context, 'backup');
  const limitGib = Number(variables.STREAMING_LIMIT_GIB);
  const ways: Record<DatabaseName, { readonly workflow?: string; readonly instance?: string }> = {
    billing: { workflow: variables.BILLING_ARCHIVE_WORKFLOW_ARN, instance: variables.BILLING_INSTANCE_IDENTIFIER },
    main: { workflow: variables.MAIN_ARCHIVE_WORKFLOW_ARN, instance: variables.MAIN_INSTANCE_IDENTIFIER },
  };
  return DATABASE_NAMES.map((database) => {
    const { workflow, instance } = ways[database];
    const size = databases.find((each) => each.database === database)?.sizeBytes ?? 0;
    const isLarge = size > limitGib * GIB;
    const inParts = Boolean(workflow);
    const instead = instance ? 'RDS exports it as Parquet, from which nothing is restored' : 'it is not archived';
    return judged(
      `large archives of ${database}`,
      inParts || !isLarge,
      inParts ? `above ${limitGib} GiB in parts` : `above ${limitGib} GiB, ${instead}; it has ${bytes(size)}`,
      'docs/deploy.md#archive-an-existing-instance-in-parts',
    );
  });
}
