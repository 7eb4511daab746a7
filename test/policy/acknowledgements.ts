import { CfnResource, Stack, Stage, Validations, type App } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { Finding } from './finding';

/** An acknowledged finding in the tree of constructs. */
export interface Accepted {
  readonly id: string;
  readonly construct: IConstruct;
  readonly reason: string;
}

interface CheckovMetadata {
  readonly skip: readonly { readonly id: string; readonly comment: string }[];
}

/** Every acknowledgement in the app, for all tools. */
export function acknowledgementsOf(app: App): Accepted[] {
  const found = app.node.findAll().flatMap((construct) => [...ofValidations(construct), ...ofTemplate(construct)]);
  // The same finding may be acknowledged twice, such as for a prefix that is both read and written.
  return [...new Map(found.map((accepted) => [`${accepted.id} ${accepted.construct.node.path}`, accepted])).values()];
}

function ofValidations(construct: IConstruct): Accepted[] {
  return construct.node.metadata
    .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap(({ data }) => Object.entries(data as Record<string, string>))
    .map(([id, reason]) => ({ id: id.replace(/^Annotation::/, ''), construct, reason }));
}

function ofTemplate(construct: IConstruct): Accepted[] {
  if (!CfnResource.isCfnResource(construct)) return [];
  const { skip } = (construct.getMetadata('checkov') as CheckovMetadata | undefined) ?? { skip: [] };
  const lint = construct.getMetadata('cfn-lint') as { readonly reasons: Record<string, string> } | undefined;
  return [
    ...skip.map(({ id, comment }) => ({ id, construct, reason: comment })),
    ...Object.entries(lint?.reasons ?? {}).map(([id, reason]) => ({ id, construct, reason })),
  ];
}

/** Whether the acknowledgement covers a finding: one on its resource, or on a part of that, such as its policy. */
export function accepts({ id, construct }: Accepted, finding: Finding): boolean {
  return finding.id === id && `${finding.path}/`.startsWith(`${construct.node.path}/`);
}

/** Whether it is on a resource; on a stack or a group of resources it would also accept future findings. */
export function standsAtResource({ construct }: Accepted): boolean {
  if (Stack.isStack(construct) || Stage.isStage(construct)) return false;
  return CfnResource.isCfnResource(construct.node.defaultChild ?? construct);
}

/** A table with a row for each reason: the findings, and where they are. */
export function tableOf(acknowledgements: readonly Accepted[]): string {
  const reasons = [...new Set(acknowledgements.map(({ reason }) => reason))];
  const lines = reasons.map((reason) => {
    const accepted = acknowledgements.filter((candidate) => candidate.reason === reason);
    const ids = [...new Set(accepted.map(({ id }) => withoutNames(id)))].toSorted();
    const places = [...new Set(accepted.map(({ construct }) => placeOf(construct)))].toSorted();
    return [
      ids.join(', '),
      `${places.slice(0, 3).join(', ')}${places.length > 3 ? `, … (${places.length})` : ''}`,
      reason,
    ];
  });
  return [
    '| accepted | where | why |',
    '| --- | --- | --- |',
    ...lines.map((cells) => `| ${cells.join(' | ')} |`).toSorted(),
  ].join('\n');
}

/** Path without the environment: `BillingOps-dev-Data/Network/Vpc` becomes `Data/Network/Vpc`. */
function placeOf({ node }: IConstruct): string {
  return node.path.replace(/^BillingOps-\w+-/, '').replace(/\/Resource$/, '');
}

function withoutNames(id: string): string {
  return id
    .replaceAll(/BillingOps-\w+-Data:ExportsOutputFnGetAtt(\w+?)[0-9A-F]{8}Arn[0-9A-F]{8}/g, '<$1>')
    .replaceAll(/\d{12}/g, '<account>')
    .replaceAll(/billing-operations-(dev|staging|production|rehearsal)-/g, 'billing-operations-<env>-');
}
