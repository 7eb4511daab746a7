import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';

/** Whether a value is computed from several metrics, such as a ratio, instead of being one of them. */
export function isComputed(metric: IMetric): boolean {
  return metric.toMetricConfig().mathExpression !== undefined;
}
