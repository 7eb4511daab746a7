import type { Template } from 'aws-cdk-lib/assertions';
import { resourcesOf, type Resource } from './support';

/** One statement of any policy of a template. */
export interface Statement {
  /** Logical id of the resource that it is part of, without the hash at its end. */
  readonly of: string;
  readonly type: string;
  readonly effect: string;
  readonly actions: readonly string[];
  /** Flat: references as `<LogicalId>`, account and environment as `<account>` and `<env>`. */
  readonly resources: readonly string[];
  readonly conditions: boolean;
  /** Whether it applies to every principal. */
  readonly toAnybody: boolean;
}

interface WrittenStatement {
  readonly Effect: string;
  readonly Action?: string | string[];
  readonly NotAction?: unknown;
  readonly Resource?: unknown;
  readonly Principal?: unknown;
  readonly NotResource?: unknown;
  readonly Condition?: object;
}

/** Every statement of a template: of roles and their policies, keys, buckets, queues, topics, vaults and endpoints. */
export function statementsIn(template: Template): Statement[] {
  return Object.entries(resourcesOf(template)).flatMap(([id, resource]) =>
    documentsOf(resource.Properties).flatMap((statements) =>
      statements.map((statement) => readStatement(id, resource, statement)),
    ),
  );
}

/** The policies among the properties of a resource, under any name. */
function documentsOf(value: unknown): WrittenStatement[][] {
  if (typeof value !== 'object' || value === null) return [];
  if ('Statement' in value && 'Version' in value) return [[value.Statement].flat() as WrittenStatement[]];
  return Object.values(value).flatMap(documentsOf);
}

function readStatement(id: string, { Type }: Resource, statement: WrittenStatement): Statement {
  if (statement.NotAction !== undefined || statement.NotResource !== undefined) {
    throw new Error(`${id} grants all but what it names: say what it needs instead`);
  }
  return {
    of: id.replace(/[0-9A-F]{8}$/, ''),
    type: Type,
    effect: statement.Effect,
    actions: [statement.Action ?? []].flat(),
    resources: [statement.Resource ?? []].flat().map(flat),
    conditions: statement.Condition !== undefined,
    toAnybody: /^"\*"$|"AWS":"\*"/.test(JSON.stringify(statement.Principal ?? '')),
  };
}

/** A value of a template as text. */
function flat(value: unknown): string {
  if (typeof value === 'string') {
    return value
      .replaceAll(/\b\d{12}\b/g, '<account>')
      .replaceAll(/(billing-(?:operations|ops)|BillingOps)-(dev|staging|production)-/g, '$1-<env>-');
  }
  const [[intrinsic, argument] = ['', undefined]] = Object.entries(value as object) as [string, unknown][];
  if (intrinsic === 'Ref') return `<${String(argument).replace(/[0-9A-F]{8}$/, '')}>`;
  if (intrinsic === 'Fn::GetAtt') return `<${String((argument as string[])[0]).replace(/[0-9A-F]{8}$/, '')}>`;
  if (intrinsic === 'Fn::ImportValue') {
    return `<${/Output(?:FnGetAtt|Ref)(\w+?)[0-9A-F]{8}(?:Arn)?[0-9A-F]{8}$/.exec(String(argument))?.[1] ?? String(argument)}>`;
  }
  if (intrinsic === 'Fn::Join') return (argument as [string, unknown[]])[1].map(flat).join('');
  return JSON.stringify(value);
}
