import { Stack } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { DefinitionBody, LogLevel, StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { removalPolicyOf } from '../../config/removal-policy';
import { acknowledge } from '../../policy/acknowledge';
import { acknowledgeOwnPolicy, acknowledgeWildcards } from '../../policy/acknowledge-permissions';
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
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
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
      definitionBody: DefinitionBody.fromString(Stack.of(this).toJsonString(definition)),
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
