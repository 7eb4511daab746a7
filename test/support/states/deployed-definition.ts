import { resourcesOf, type Synthesised } from '../../lib/support';
import type { Definition } from '../../../local/states/definition';
import { textOf } from '../../../local/states/text';

/** Values of a template as they are after its deployment: names where there are any, otherwise `<LogicalId>`. */
export class DeployedValues {
  private readonly outputs: readonly { readonly Value: unknown; readonly Export?: { readonly Name: unknown } }[];
  private readonly resources: ReturnType<typeof resourcesOf>;

  constructor({ data, operations }: Synthesised) {
    this.outputs = Object.values((data.toJSON() as { Outputs?: Record<string, never> }).Outputs ?? {});
    this.resources = { ...resourcesOf(data), ...resourcesOf(operations) };
  }

  /** Arrays and references, however deep; other objects stay as they are. */
  resolve(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one) => this.resolve(one));
    if (typeof value !== 'object' || value === null) return value;
    const [[intrinsic, argument] = ['', undefined]] = Object.entries(value) as [string, unknown][];
    switch (intrinsic) {
      case 'Ref':
        return this.nameOf(String(argument));
      case 'Fn::GetAtt':
        return this.attributeOf(...(argument as [string, string]));
      case 'Fn::ImportValue':
        return this.resolve(this.outputs.find(({ Export }) => Export?.Name === argument)?.Value);
      case 'Fn::Join':
        return (argument as [string, unknown[]])[1].map((one) => this.resolve(one)).join((argument as [string])[0]);
      default:
        return value;
    }
  }

  private nameOf(logicalId: string): string {
    const { DBSubnetGroupName, DBParameterGroupName, StateMachineName } = this.resources[logicalId]?.Properties ?? {};
    if (typeof StateMachineName === 'string') return `arn:of:${StateMachineName}`;
    return textOf(DBSubnetGroupName ?? DBParameterGroupName ?? `<${logicalId}>`);
  }

  private attributeOf(logicalId: string, attribute: string): string {
    const { FunctionName } = this.resources[logicalId]?.Properties ?? {};
    return typeof FunctionName === 'string' ? `arn:of:${FunctionName}` : `<${logicalId}.${attribute}>`;
  }
}

/** The state machine of a name, as the template of Operations would have it deployed. */
export function deployedDefinition(templates: Synthesised, stateMachineName: string): Definition {
  const machines = Object.values(resourcesOf(templates.operations, 'AWS::StepFunctions::StateMachine'));
  const machine = machines.find(({ Properties }) => Properties.StateMachineName === stateMachineName);
  const text = machine?.Properties.DefinitionString as string | { 'Fn::Join': [string, unknown[]] } | undefined;
  if (text === undefined) throw new Error(`No state machine is called ${stateMachineName}`);
  if (typeof text === 'string') return JSON.parse(text) as Definition;
  const values = new DeployedValues(templates);
  // Values stand inside of quoted text.
  const pieces = text['Fn::Join'][1].map((piece) =>
    typeof piece === 'string' ? piece : JSON.stringify(String(values.resolve(piece))).slice(1, -1),
  );
  return JSON.parse(pieces.join('')) as Definition;
}
