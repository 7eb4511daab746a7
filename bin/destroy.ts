import { parseArgs } from 'node:util';
import { BackupClient } from '@aws-sdk/client-backup';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { RDSClient } from '@aws-sdk/client-rds';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { selectEnvironments } from '../lib/config/select-environments';
import { destroyEnvironment } from '../lib/stacks/destroy-environment';

const USAGE = 'npx tsx bin/destroy.ts --env <name> --confirm <name> [--environments <folder>]';

// Removes an environment that is not protected, and what is in it; docs/deploy.md has the procedure, and says what stays.
async function run(): Promise<void> {
  const { values } = parseArgs({
    options: { env: { type: 'string' }, confirm: { type: 'string' }, environments: { type: 'string' } },
  });
  const { Account } = await new STSClient({}).send(new GetCallerIdentityCommand({}));
  const [config, ...others] = selectEnvironments({
    selected: values.env,
    folder: values.environments,
    credentialsAccount: Account,
  });
  if (config === undefined || others.length > 0) throw new Error(`One environment at a time: ${USAGE}`);
  if (values.confirm !== config.name) {
    throw new Error(
      `Nothing was removed. Databases, archives, recovery points and secrets of ${config.name} would be gone for good. To do so, add --confirm ${config.name}`,
    );
  }
  await destroyEnvironment({
    config,
    clients: (region) => ({
      cloudFormation: new CloudFormationClient({ region }),
      s3: new S3Client({ region }),
      backup: new BackupClient({ region }),
      rds: new RDSClient({ region }),
      stepFunctions: new SFNClient({ region }),
    }),
    tell: (line) => process.stdout.write(`${line}\n`),
  });
}

run().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
});
