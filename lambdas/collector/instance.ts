import { DescribeDBInstancesCommand, type RDSClient } from '@aws-sdk/client-rds';
import { OperationError } from '../../core/runtime/errors';

const GIB = 1024 ** 3;

/** Source of the size of the disk behind a database: RDS when it has the instance, otherwise the configuration. */
export interface InstanceSource {
  /** Empty when the database is not on RDS. */
  readonly instanceIdentifier: string;
  readonly allocatedStorageGib: number;
}

export interface InstanceSize {
  /** Bytes of disk, now: storage autoscaling changes it without a deployment. */
  readonly storageBytes: number;
  /** Bytes of memory. `undefined` where RDS has no instance: the free memory is unknown then, too. */
  readonly memoryBytes: number | undefined;
}

/**
 * The size of the machine behind a database.
 *
 * @throws OperationError `instance_unknown` when RDS has no such instance, `instance_class_unknown`
 */
export async function instanceSize(rds: RDSClient, source: InstanceSource): Promise<InstanceSize> {
  if (source.instanceIdentifier === '') {
    return { storageBytes: source.allocatedStorageGib * GIB, memoryBytes: undefined };
  }
  const { DBInstances } = await rds.send(
    new DescribeDBInstancesCommand({ DBInstanceIdentifier: source.instanceIdentifier }),
  );
  const { AllocatedStorage, DBInstanceClass } = DBInstances?.[0] ?? {};
  if (AllocatedStorage === undefined || DBInstanceClass === undefined) {
    throw new OperationError('instance_unknown', `RDS reports no size for instance ${source.instanceIdentifier}`);
  }
  return { storageBytes: AllocatedStorage * GIB, memoryBytes: classMemoryGib(DBInstanceClass) * GIB };
}

/** GiB of memory of the size `large`, by family, or by its letter: balanced, for memory, burstable. */
const LARGE_GIB: Readonly<Record<string, number>> = { m: 8, r: 16, t: 8, x2g: 32, x2idn: 32, x2iedn: 64 };
/** Sizes below `large`, in shares of it; larger ones are `xlarge` and its multiples, each twice `large`. */
const SMALL_SIZES: Readonly<Record<string, number>> = { micro: 1 / 8, small: 1 / 4, medium: 1 / 2, large: 1 };

/**
 * GiB of memory of an instance class, as AWS lists it: RDS reports the class and the free memory, never the total.
 *
 * @param instanceClass such as `db.m7g.large`
 * @throws OperationError `instance_class_unknown`
 */
export function classMemoryGib(instanceClass: string): number {
  const [, family = '', multiple, size] = /^db\.([a-z]\d+[a-z]*)\.(?:(\d*)xlarge|([a-z]+))$/.exec(instanceClass) ?? [];
  const large = LARGE_GIB[family] ?? LARGE_GIB[family.charAt(0)];
  const share = size === undefined ? 2 * Number(multiple === '' ? 1 : multiple) : SMALL_SIZES[size];
  if (large !== undefined && share !== undefined) return large * share;
  throw new OperationError(
    'instance_class_unknown',
    `The memory of class ${instanceClass} is not known: add its family to LARGE_GIB in lambdas/collector/instance.ts`,
  );
}
