import {
  DescribeStacksCommand,
  paginateListStackResources,
  type CloudFormationClient,
  type Stack,
} from '@aws-sdk/client-cloudformation';
import { existingResources } from '../../core/runtime/stack-resources';
import type { EnvironmentConfig } from '../../lib/config/environment-schema';
import { stackName } from './assembly';
import type { Clients } from './clients';

/** A resource as it was deployed. */
export interface Deployed {
  readonly stack: string;
  readonly logicalId: string;
  readonly type: string;
  /** Name, ARN, URL or id: what `Ref` gives. */
  readonly physicalId: string;
}

/** What CloudFormation says is there. */
export class Deployment {
  private url: string | undefined;

  constructor(
    private readonly clients: Clients,
    private readonly config: EnvironmentConfig,
    /** Of the emulator. */
    private readonly endpoint: string,
  ) {}

  private api(part: string): CloudFormationClient {
    return part === 'Recovery' ? this.clients.cloudFormationAbroad : this.clients.cloudFormation;
  }

  async stack(part: string): Promise<Stack | undefined> {
    const command = new DescribeStacksCommand({ StackName: stackName(this.config, part) });
    const { Stacks: [stack] = [] } = await this.api(part).send(command);
    return stack;
  }

  async resources(part: string): Promise<Deployed[]> {
    const name = stackName(this.config, part);
    const pages = paginateListStackResources({ client: this.api(part) }, { StackName: name });
    const found = await existingResources(pages);
    return found.map(({ logicalId, type, id }) => ({ stack: part, logicalId, type, physicalId: id }));
  }

  /** The one resource of a type whose logical id contains a word. */
  async find(part: string, type: string, word: string): Promise<Deployed> {
    const found = (await this.resources(part)).filter((each) => each.type === type && each.logicalId.includes(word));
    const [only] = found;
    if (found.length !== 1 || !only)
      throw new Error(`Expected one ${type} like ${word} in ${part}, found ${found.length}`);
    return only;
  }

  /** Reads the outputs of the stacks. To be called after a deployment. */
  async refresh(): Promise<void> {
    const { Outputs: outputs = [] } = (await this.stack('Operations')) ?? {};
    const printed = outputs.find(({ OutputValue: value }) => value?.includes('/webhooks/'))?.OutputValue;
    if (printed === undefined) throw new Error('The Operations stack printed no webhook endpoint');
    // The emulator serves `https://<api>.execute-api.<region>.amazonaws.com/<path>` under a path of its own.
    const { hostname, pathname } = new URL(printed);
    this.url = `${this.endpoint}/_aws/execute-api/${hostname.split('.')[0] ?? ''}${pathname}`;
  }

  /** Where the deployed API takes webhooks. */
  webhookUrl(): string {
    if (this.url === undefined) throw new Error('Nothing is deployed yet');
    return this.url;
  }
}
