import { Stack } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Bytes of all variables of a function, names included, that Lambda takes. */
const MAX_BYTES = 4_096;
/** Of a value that only the deployment knows: a little more than the ARN of a secret. */
const UNKNOWN_BYTES = 120;

/** Has synthesis refuse variables that Lambda would refuse, after the stack with the databases was deployed. */
export function limitVariables(fn: IConstruct, name: string, variables: Readonly<Record<string, string>>): void {
  fn.node.addValidation({
    validate: () => {
      const bytes = Object.entries(variables)
        .map(([variable, value]) => Buffer.byteLength(variable) + bytesOf(Stack.of(fn).resolve(value)))
        .reduce((sum, each) => sum + each, 0);
      if (bytes <= MAX_BYTES) return [];
      return [
        `the variables of ${name} have about ${bytes} bytes, and Lambda takes ${MAX_BYTES}: shorten \`databases.<…>.people\`, \`erasure.main\` or \`openTelemetry.variables\``,
      ];
    },
  });
}

/** Of a value as it stands in the template: text, or a reference, or both joined. */
function bytesOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  const [[intrinsic, argument] = []] = Object.entries(value as Record<string, unknown>);
  if (intrinsic !== 'Fn::Join') return UNKNOWN_BYTES;
  const [, parts] = argument as [string, unknown[]];
  return parts.reduce<number>((sum, part) => sum + bytesOf(part), 0);
}
