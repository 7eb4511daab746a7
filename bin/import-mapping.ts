import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { importMapping } from '../lib/stacks/import-mapping';

const event = z.object({
  LogicalResourceId: z.string(),
  PhysicalResourceId: z.string().default(''),
  ResourceType: z.string(),
  ResourceStatus: z.string(),
});

// Reads what `aws cloudformation describe-stack-events --output json` prints; docs/deploy.md has the procedure.
try {
  const { StackEvents } = z.object({ StackEvents: z.array(event) }).parse(JSON.parse(readFileSync(0, 'utf8')));
  process.stdout.write(`${JSON.stringify(importMapping(StackEvents), undefined, 2)}\n`);
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
