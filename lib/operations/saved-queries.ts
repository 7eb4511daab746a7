import { Names } from 'aws-cdk-lib';
import { CfnQueryDefinition, type ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { SAVED_QUERIES } from '../config/saved-queries';

export interface SavedQueriesProps {
  /** Names the folder of the queries. */
  readonly environmentName: string;
  /** Logs of all functions. */
  readonly logs: readonly ILogGroup[];
}

/** The questions that on-call asks of the logs, ready to run in Logs Insights: one folder for each environment. */
export class SavedQueries extends Construct {
  constructor(scope: Construct, id: string, props: SavedQueriesProps) {
    super(scope, id);
    for (const { id: queryId, title, lines } of SAVED_QUERIES) {
      new CfnQueryDefinition(this, queryId, {
        name: `BillingOps/${props.environmentName}/${title}`,
        queryString: lines.join('\n'),
        logGroupNames: props.logs
          .toSorted((one, other) => Names.nodeUniqueId(one.node).localeCompare(Names.nodeUniqueId(other.node)))
          .map(({ logGroupName }) => logGroupName),
      });
    }
  }
}
