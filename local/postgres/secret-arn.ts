import type { DatabaseName } from '../../core/contract';

/** ARN of the secret of a database of this machine, as an operator's configuration names it. */
export function secretArnOf(name: DatabaseName, region: string): string {
  return `arn:aws:secretsmanager:${region}:000000000000:secret:${name}-database-local0`;
}
