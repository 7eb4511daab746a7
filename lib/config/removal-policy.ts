import { RemovalPolicy } from 'aws-cdk-lib';

/**
 * Removal policy of a resource that holds data.
 *
 * Protected data stays when a stack is updated or removed. A resource whose creation is rolled back is deleted: it has
 * never held anything, and its name would make the next attempt fail.
 *
 * @param removalProtection whether the environment protects its data
 */
export function removalPolicyOf(removalProtection: boolean): RemovalPolicy {
  return removalProtection ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY;
}
