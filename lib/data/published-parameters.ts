import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { parameterName } from '../config/parameter-name';

export interface PublishedParametersProps {
  /** Name of the environment, which the names of the parameters contain. */
  readonly environmentName: string;
  /** Value of each parameter, by its path below the environment; `undefined` for what the environment does not have. */
  readonly values: Readonly<Record<string, string | undefined>>;
}

/** Where applications and other stacks find what an environment consists of. Nothing secret is among the values. */
export class PublishedParameters extends Construct {
  constructor(scope: Construct, id: string, { environmentName, values }: PublishedParametersProps) {
    super(scope, id);
    for (const [what, stringValue] of Object.entries(values)) {
      if (stringValue === undefined) continue;
      new StringParameter(this, what.replaceAll('/', '-'), {
        parameterName: parameterName(environmentName, what),
        stringValue,
      });
    }
  }
}
