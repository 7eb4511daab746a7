import { Stack, Tokenization } from 'aws-cdk-lib';
import { Role } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { removalPolicyOf } from '../../config/removal-policy';
import { acknowledge } from '../../policy/acknowledge';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../../policy/acknowledge-permissions';
import { serviceOfAccount } from '../../policy/service-principal';
import type { State } from './instance-recovery-states';

export interface RecoveryWorkflowProps {
  readonly stateMachineName: string;
  readonly description: string;
  /** Encrypts the log. */
  readonly logKey: IKey;
  /** Keep the log when the stack is removed. */
  readonly removalProtection: boolean;
}

/** The role of a state machine and its log; {@link define} adds the machine, once the role has its permissions. */
export class RecoveryWorkflow extends Construct {
  readonly role: Role;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: RecoveryWorkflowProps,
  ) {
    super(scope, id);
    this.role = new Role(this, 'Role', {
      assumedBy: serviceOfAccount(this, 'states.amazonaws.com'),
      description: props.description,
    });
    acknowledgeOwnPolicy(this.role);
    acknowledgeWildcards(this.role, {
      resources: ['*'],
      reason: 'Traces have no resource, nor has the delivery of the log of a workflow',
    });
  }

  define(definition: State): StateMachine {
    const machine = new StateMachine(this, 'Workflow', {
      stateMachineName: this.props.stateMachineName,
      role: this.role,
      // Its time limit is part of the definition.
      definitionBody: DefinitionBody.fromString(
        Stack.of(this).toJsonString(inPartition(definition, Stack.of(this).partition)),
      ),
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', {
          retention: RetentionDays.ONE_YEAR,
          encryptionKey: this.props.logKey,
          removalPolicy: removalPolicyOf(this.props.removalProtection),
        }),
        level: LogLevel.ALL,
        // Without what passes between the states: it holds the token that confirms the cut-over.
        includeExecutionData: false,
      },
    });
    acknowledge(machine, {
      cfnLint: ['W3005'],
      reason:
        'The framework writes down the role beside its policy, of which the workflow depends on both: implied, and harmless',
    });
    return machine;
  }
}

const INTEGRATIONS = 'arn:aws:states:::';

/**
 * The definition with the integrations of a partition. Step Functions takes those of another one without a word, and fails the
 * first state that calls one: in GovCloud and China, every recovery would.
 */
function inPartition(definition: unknown, partition: string): unknown {
  if (typeof definition === 'string') return definition.replace(INTEGRATIONS, `arn:${partition}:states:::`);
  if (Array.isArray(definition)) return definition.map((each) => inPartition(each, partition));
  if (typeof definition !== 'object' || definition === null || Tokenization.isResolvable(definition)) return definition;
  return Object.fromEntries(Object.entries(definition).map(([name, each]) => [name, inPartition(each, partition)]));
}
