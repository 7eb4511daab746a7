import type { CloudAssembly } from 'aws-cdk-lib/cx-api';

/** Bytes of a template that CloudFormation takes. */
export const MAX_TEMPLATE_BYTES = 1_000_000;

/**
 * Refuses what CloudFormation would: the framework only warns, and the deployment stops after the stacks before this one.
 *
 * @throws Error naming each template that is too large
 */
export function assertTemplatesFit({ stacks }: CloudAssembly): void {
  const problems = stacks.flatMap(({ stackName, template }) => {
    const bytes = Buffer.byteLength(JSON.stringify(template));
    return bytes > MAX_TEMPLATE_BYTES
      ? [`${stackName}: the template has ${bytes} bytes, and CloudFormation takes ${MAX_TEMPLATE_BYTES}`]
      : [];
  });
  if (problems.length === 0) return;
  throw new Error(
    [
      ...problems,
      'Leave out an optional part of the environment (`bitcoin`, `tilled`, `databases.billing.move`), or shorten `openTelemetry.variables` and `erasure.main`, which functions repeat',
    ].join('\n'),
  );
}
