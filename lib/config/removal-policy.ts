import { RemovalPolicy } from 'aws-cdk-lib';

/**
 * What becomes of a resource that holds data when a stack is updated or removed.
 *
 * Where data is protected it stays, except when its creation is rolled back: then it has never held anything, and its
 * name would keep the next attempt from succeeding.
 *
 * @param removalProtection whether the environment protects its data
 */
export function removalPolicyOf(removalProtection: boolean): RemovalPolicy {
  return removalProtection ? RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE : RemovalPolicy.DESTROY;
}
