import * as z from 'zod';
import { flag, keyArn, missing, securityGroupId, text, whole } from './fields';
import { instanceClass } from './instance-class';

const GROUP = /^[a-zA-Z][a-zA-Z0-9-]{0,254}$/;

/**
 * What the recovery of an instance that the stack did not make, and its archive in parts, have to know beforehand: what their
 * roles are allowed to use, and what RDS no longer tells of an instance that is gone. Everything else is read from the instance.
 */
export const existingRecovery = z.strictObject(
  {
    subnetGroupName: text(
      'must be the name of a subnet group of RDS, such as `private`',
      /^[a-z0-9 ._-]{1,255}$/,
    ).describe('Subnet group of the instance.'),
    parameterGroupName: text(
      'must be the name of a parameter group, such as `postgres17`',
      /^[a-z][a-z0-9.-]{0,254}$/,
    ).describe('Parameter group of the instance.'),
    optionGroupName: text('must be the name of an option group of yours', GROUP)
      .optional()
      .describe('Option group of the instance. Left out: the default one of RDS.'),
    securityGroupIds: z
      .array(securityGroupId, { error: 'must be a list of security group ids' })
      .min(1, 'must name one security group or more')
      .optional()
      .describe('Security groups of a recovered instance, where the present one is gone. Left out: `securityGroupId`.'),
    keyArns: z
      .array(keyArn, { error: 'must be a list of KMS key ARNs' })
      .default([])
      .describe(
        'Customer-managed keys of its storage and of Performance Insights, which the workflows may then use. Left out: `aws/rds`.',
      ),
    monitoringRoleArn: text(
      'must be the ARN of a role such as `arn:aws:iam::111111111111:role/rds-monitoring`',
      /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
    )
      .optional()
      .describe('Role of its Enhanced Monitoring. Left out: a recovered instance has none.'),
    proxyName: text('must be the name of an RDS Proxy', /^(?!.*--)[a-zA-Z][a-zA-Z0-9-]{0,62}$/)
      .optional()
      .describe('RDS Proxy whose address `host` is. Left out: `host` is that of the instance, or an alias of it.'),
    instanceClass: instanceClass.describe('Class of a recovered instance, where the present one is gone.'),
    multiAz: flag.describe('Whether a recovered instance has a standby, where the present one is gone.'),
    maximumStorageGiB: whole(22, 65_536)
      .optional()
      .describe(
        'GiB up to which the storage of a recovered instance grows, where the present one is gone. Left out: it does not grow by itself.',
      ),
  },
  missing('must say at least `subnetGroupName`, `parameterGroupName`, `instanceClass` and `multiAz`'),
);

export type ExistingRecoveryConfig = z.output<typeof existingRecovery>;
