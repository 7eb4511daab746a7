import { RegionInfo } from 'aws-cdk-lib/region-info';
import type { Settings } from './environment-settings';
import type { Refuse } from './refuse';

type Path = readonly string[];

/** Settings whose values say nothing to AWS, whatever they look like. */
const FREE = ['tags'];

/** Reports what is wrong in every list and every ARN, whichever setting it stands in. */
export function refuseValues(config: Settings, refuse: Refuse): void {
  const partition = partitionOf(config.region);
  for (const [name, value] of Object.entries(config)) {
    if (!FREE.includes(name)) visit([name], value, { partition, region: config.region, refuse });
  }
  refuseOtherPartition(config, partition, refuse);
}

interface Visit {
  /** Partition of the region, such as `aws-cn`; `undefined` of a region that AWS does not have. */
  readonly partition: string | undefined;
  readonly region: string;
  readonly refuse: Refuse;
}

function visit(path: Path, value: unknown, visitor: Visit): void {
  if (typeof value === 'string') return refuseArn(path, value, visitor);
  if (Array.isArray(value)) refuseRepeated(path, value, visitor.refuse);
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) visit([...path, name], inner, visitor);
}

/** AWS refuses an ARN of another partition in the middle of a deployment, or a policy grants nothing by it. */
function refuseArn(path: Path, value: string, { partition, region, refuse }: Visit): void {
  const [prefix, own] = value.split(':', 2);
  if (prefix !== 'arn' || partition === undefined || own === partition) return;
  refuse(path, `must begin with \`arn:${partition}:\`, as ARNs of ${region} do`);
}

/** The same rule, subscription or subnet twice is refused by AWS, or by the framework with a message about constructs. */
function refuseRepeated(path: Path, values: readonly unknown[], refuse: Refuse): void {
  for (const [index, value] of values.entries()) {
    if (typeof value !== 'string' || values.indexOf(value) === index) continue;
    refuse([...path, String(index)], 'must be another one than those before it');
  }
}

/** Nothing is copied from one partition to another. */
function refuseOtherPartition({ region, secondRegion }: Settings, partition: string | undefined, refuse: Refuse): void {
  if (secondRegion === undefined || partitionOf(secondRegion) === partition) return;
  refuse(['secondRegion'], `must be in the partition of ${region}: AWS copies nothing from one to another`);
}

function partitionOf(region: string): string | undefined {
  return RegionInfo.get(region).partition;
}
