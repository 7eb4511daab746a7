import { DATABASE_NAMES, type DatabaseName } from '../../core/contract';
import type { BackupEnvironment } from '../../lambdas/backup/contract';
import type { InspectionReport } from '../../lambdas/inspect/contract';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { bytes } from '../print/units';
import { type Finding, good, judged, wrong } from './finding';

const GIB = 1024 ** 3;

/**
 * How a database is archived that is too large for one call. Wrong where it is as large already, and no workflow archives it:
 * nothing newer is restored then, drilled, or a source of rows; and where its size is not known, which may be as large.
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
    const check = `large archives of ${database}`;
    if (!Number.isFinite(limitGib)) {
      return wrong(
        check,
        'the function backup names no size above which it stops',
        'Deploy the stack Operations again',
      );
    }
    if (workflow) return good(check, `above ${limitGib} GiB in parts`);
    const size = databases.find((each) => each.database === database)?.sizeBytes;
    if (size === undefined || size === null) {
      return wrong(
        check,
        `its size is not known, and no workflow archives it above ${limitGib} GiB`,
        'ops status names why; where the server does not answer, docs/runbook.md#database-unreachable. Or archive it in parts in any case: docs/deploy.md#archive-an-existing-instance-in-parts',
      );
    }
    const instead = instance ? 'RDS exports it as Parquet, from which nothing is restored' : 'it is not archived';
    return judged(
      check,
      size <= limitGib * GIB,
      `above ${limitGib} GiB, ${instead}; it has ${bytes(size)}`,
      'docs/deploy.md#archive-an-existing-instance-in-parts',
    );
  });
}
