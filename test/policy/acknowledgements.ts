import { CfnResource, Stack, Stage, Validations, type App } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { Finding } from './finding';

/** A finding that somebody accepted, as it stands in the tree of constructs. */
export interface Accepted {
  readonly id: string;
  readonly construct: IConstruct;
  readonly reason: string;
}

interface CheckovMetadata {
  readonly skip: readonly { readonly id: string; readonly comment: string }[];
}

/** Everything that is accepted anywhere in the app, for whichever tool. */
export function acknowledgementsOf(app: App): Accepted[] {
  const found = app.node.findAll().flatMap((construct) => [...ofValidations(construct), ...ofTemplate(construct)]);
  // The same may be accepted twice, such as for a prefix that is both written and read.
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

/** Whether it accepts this finding: of the resource that it stands at, or of one that belongs to that, such as its policy. */
export function accepts({ id, construct }: Accepted, finding: Finding): boolean {
  return finding.id === id && `${finding.path}/`.startsWith(`${construct.node.path}/`);
}

/** Whether it stands at a resource, and not at a stack or at a group of resources, where it would accept what is yet to come. */
export function standsAtResource({ construct }: Accepted): boolean {
  if (Stack.isStack(construct) || Stage.isStage(construct)) return false;
  return CfnResource.isCfnResource(construct.node.defaultChild ?? construct);
}

/** One row for each reason: what is accepted, where, in how many places. */
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

/** The same in every environment: `BillingOps-dev-Data/Network/Vpc` is `Data/Network/Vpc`. */
function placeOf({ node }: IConstruct): string {
  return node.path.replace(/^BillingOps-\w+-/, '').replace(/\/Resource$/, '');
}

function withoutNames(id: string): string {
  return id
    .replaceAll(/BillingOps-\w+-Data:ExportsOutputFnGetAtt(\w+?)[0-9A-F]{8}Arn[0-9A-F]{8}/g, '<$1>')
    .replaceAll(/\d{12}/g, '<account>')
    .replaceAll(/billing-operations-(dev|staging|production|rehearsal)-/g, 'billing-operations-<env>-');
}
