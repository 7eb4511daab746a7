import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_NAMES, functionName, type DatabaseName } from '../../core/contract';
import { createApp } from '../../lib/app';
import { localEnvironment } from '../../lib/config/built-environments';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import { BACKUP_POLICIES } from '../../lib/config/policies';
import { bundleFunctions } from '../../lib/operations/bundles';
import { largeArchiveDefinition } from '../../lib/operations/recovery/large-archive-states';
import { ARCHIVE_WORKFLOWS, INSTANCE_IDENTIFIERS } from './archive-workflows';
import { TEMPLATE_ADDRESSES } from './template-addresses';

/** Settings of the CDK's command line, without which another template would come out than the one that is deployed. */
function cdkContext(): Record<string, unknown> {
  const { context } = JSON.parse(readFileSync(join(__dirname, '../../cdk.json'), 'utf8')) as {
    context: Record<string, unknown>;
  };
  // Judging the template takes longer than making it; `cdk synth` and the tests do that.
  return { ...context, '@aws-cdk/core:validateAgainstDefaultRules': false };
}

/**
 * Bundles the functions and synthesises the same app as `cdk deploy`, for the environment of this machine.
 *
 * @param outdir folder that the cloud assembly is written to, the bundles in it
 */
export function synthesise(outdir: string): void {
  const bundlesFolder = `${outdir}.bundles`;
  try {
    const bundles = bundleFunctions({ outdir: bundlesFolder });
    const environment = localEnvironment(TEMPLATE_ADDRESSES);
    createApp([environment], { outdir, bundles, context: cdkContext() }).synth();
    const archiving = DATABASE_NAMES.map((name) => [name, archiveWorkflow(environment, name)]);
    writeFileSync(join(outdir, ARCHIVE_WORKFLOWS), JSON.stringify(Object.fromEntries(archiving)));
  } finally {
    rmSync(bundlesFolder, { recursive: true, force: true });
  }
}

/**
 * The state machine that archives a database in parts, as an environment with instances of RDS has it. The template has none
 * for databases that run already.
 */
function archiveWorkflow(config: EnvironmentConfig, database: DatabaseName): object {
  const { name: environmentName, region, account, runbookUrl, largeArchives } = config;
  const functionArn = (stem: string) =>
    `arn:aws:lambda:${region}:${account}:function:${functionName(environmentName, stem)}`;
  return largeArchiveDefinition({
    environmentName,
    database,
    purpose: 'archive',
    // The stand-in for RDS reads nothing but the identifier.
    settings: {
      instanceIdentifier: INSTANCE_IDENTIFIERS[database],
      engineLifecycleSupport: 'open-source-rds-extended-support-disabled',
      networkType: 'IPV4',
      subnetGroupName: 'local',
      parameterGroupName: 'local',
      certificateAuthority: 'local',
    },
    securityGroupId: 'local',
    resetPasswordFunctionArn: functionArn('reset-password'),
    backupFunctionArn: functionArn('backup'),
    expiryArn: `arn:aws:states:${region}:${account}:stateMachine:${functionName(environmentName, `archive-expiry-${database}`)}`,
    targetMinutes: BACKUP_POLICIES[database].restoreTargetMinutes,
    runbookUrl,
    concurrentParts: largeArchives.concurrentParts,
  });
}
