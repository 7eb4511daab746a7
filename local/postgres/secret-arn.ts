/** ARN of the secret of a database of this machine, as an operator's configuration names it. */
export function secretArnOf(name: string, region: string): string {
  return `arn:aws:secretsmanager:${region}:000000000000:secret:${name}-database-local0`;
}
