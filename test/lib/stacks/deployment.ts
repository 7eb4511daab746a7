import type { Synthesised } from '../support';

interface ResourceTemplate {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly DeletionPolicy?: string;
}

interface StackTemplate {
  readonly Resources: Readonly<Record<string, ResourceTemplate>>;
  readonly Outputs?: Readonly<Record<string, { readonly Value: unknown; readonly Export?: { readonly Name: string } }>>;
  readonly Parameters?: Readonly<Record<string, { readonly Type: string; readonly Default?: string }>>;
}

/** A part of {@link Synthesised}. */
export type Part = keyof Synthesised;
/** As `cdk deploy --all` deploys them. */
export const IN_ORDER: readonly Part[] = ['recovery', 'data', 'operations', 'monitoring'];

/** The property that is the name of a resource in its account and region, for types that a kept resource may be of. */
const NAMES: Readonly<Record<string, string>> = {
  'AWS::ApiGateway::DomainName': 'DomainName',
  'AWS::Backup::BackupVault': 'BackupVaultName',
  'AWS::ElastiCache::ServerlessCache': 'ServerlessCacheName',
  'AWS::Lambda::Function': 'FunctionName',
  'AWS::Logs::LogGroup': 'LogGroupName',
  'AWS::RDS::DBInstance': 'DBInstanceIdentifier',
  'AWS::RDS::DBParameterGroup': 'DBParameterGroupName',
  'AWS::RDS::DBProxy': 'DBProxyName',
  'AWS::RDS::DBSubnetGroup': 'DBSubnetGroupName',
  'AWS::S3::Bucket': 'BucketName',
  'AWS::SQS::Queue': 'QueueName',
  'AWS::SSM::Parameter': 'Name',
  'AWS::WAFv2::WebACL': 'Name',
};

/** A resource's type and name; `undefined` where CloudFormation generates the name. */
function nameOf({ Type, Properties = {} }: ResourceTemplate): string | undefined {
  const name = Properties[NAMES[Type] ?? ''];
  return name === undefined ? undefined : `${Type} ${JSON.stringify(name)}`;
}

/** Names that contain what another resource is assigned: another one with the next resource of that logical id. */
const isAssigned = (name: string) => /"(Fn::GetAtt|Ref)":/.test(name) && !/"Ref":"AWS::/.test(name);

/**
 * What an account has of an environment, as far as CloudFormation refuses changes of it: exports in use, names that are
 * taken by what a removed stack or part left behind, and resources that refuse their deletion.
 */
export class Deployment {
  private readonly stacks = new Map<Part, StackTemplate>();
  /** Names of what was kept when it was removed from its stack. */
  readonly leftOver = new Set<string>();

  /** @returns why CloudFormation refuses; nothing where it does not */
  deploy(templates: Synthesised, parts: readonly Part[] = IN_ORDER): string[] {
    return parts.flatMap((part) => {
      const template = templates[part]?.toJSON() as StackTemplate | undefined;
      // `cdk deploy --all` leaves a stack alone that is no longer in the app.
      return template ? this.deployStack(part, template) : [];
    });
  }

  private deployStack(part: Part, next: StackTemplate): string[] {
    const before = this.stacks.get(part);
    const refusals = [
      ...this.lostExports(part, next),
      ...this.missingImports(part, next),
      ...this.missingParameters(part, next),
      ...this.takenNames(part, next),
      ...this.undeletable(part, next),
    ];
    if (refusals.length > 0) return refusals;
    for (const [id, resource] of Object.entries(before?.Resources ?? {})) {
      const name = nameOf(resource);
      const isKept = resource.DeletionPolicy?.startsWith('Retain') ?? false;
      if (id in next.Resources || name === undefined || !isKept || isAssigned(name)) continue;
      this.leftOver.add(name);
    }
    this.stacks.set(part, next);
    return [];
  }

  private lostExports(part: Part, next: StackTemplate): string[] {
    const remaining = exportsOf(next);
    return [...exportsOf(this.stacks.get(part))].flatMap(([name, value]) => {
      const users = [...this.stacks].filter(([user, template]) => user !== part && importsOf(template).has(name));
      return users.length > 0 && remaining.get(name) !== value
        ? [`${part}: ${value} is exported and in use by ${users.map(([user]) => user).join(', ')}`]
        : [];
    });
  }

  private missingImports(part: Part, next: StackTemplate): string[] {
    const exported = new Set([...this.stacks.values()].flatMap((template) => [...exportsOf(template).keys()]));
    return [...importsOf(next)]
      .filter((name) => !exported.has(name))
      .map((name) => `${part}: there is no export ${name}`);
  }

  private missingParameters(part: Part, next: StackTemplate): string[] {
    const there = new Set(
      [...this.stacks.values()].flatMap(({ Resources }) =>
        Object.values(Resources).flatMap(({ Type, Properties }) =>
          Type === 'AWS::SSM::Parameter' ? [Properties?.Name] : [],
        ),
      ),
    );
    return Object.values(next.Parameters ?? {}).flatMap(({ Type, Default }) =>
      Type.startsWith('AWS::SSM::Parameter::Value') && Default?.startsWith('/billing') && !there.has(Default)
        ? [`${part}: there is no parameter ${Default}`]
        : [],
    );
  }

  private takenNames(part: Part, next: StackTemplate): string[] {
    const before = this.stacks.get(part);
    return Object.entries(next.Resources).flatMap(([id, resource]) => {
      const name = nameOf(resource);
      return before?.Resources[id] === undefined && name !== undefined && this.leftOver.has(name)
        ? [`${part}: ${name} already exists`]
        : [];
    });
  }

  private undeletable(part: Part, next: StackTemplate): string[] {
    return Object.entries(this.stacks.get(part)?.Resources ?? {}).flatMap(([id, { Properties, DeletionPolicy }]) =>
      !(id in next.Resources) && Properties?.DeletionProtection === true && !DeletionPolicy?.startsWith('Retain')
        ? [`${part}: ${id} refuses its deletion`]
        : [],
    );
  }
}

function exportsOf(template: StackTemplate | undefined): Map<string, string> {
  return new Map(
    Object.values(template?.Outputs ?? {}).flatMap(({ Value, Export }) =>
      Export ? [[Export.Name, JSON.stringify(Value)] as const] : [],
    ),
  );
}

function importsOf(template: StackTemplate): Set<string> {
  return new Set([...JSON.stringify(template).matchAll(/"Fn::ImportValue":"([^"]+)"/g)].map(([, name = '']) => name));
}
