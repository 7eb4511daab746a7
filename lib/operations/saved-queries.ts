import { Names } from 'aws-cdk-lib';
import { CfnQueryDefinition, type ILogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { SAVED_QUERIES } from '../config/saved-queries';

export interface SavedQueriesProps {
  /** Names the folder of the queries. */
  readonly environmentName: string;
  /** Logs of all functions. */
  readonly logs: readonly ILogGroup[];
  /** Names of the log groups of the databases that the stacks make, and of their replicas. */
  readonly databaseLogs: readonly string[];
}

/** The questions that on-call asks of the logs, ready to run in Logs Insights: one folder for each environment. */
export class SavedQueries extends Construct {
  constructor(scope: Construct, id: string, props: SavedQueriesProps) {
    super(scope, id);
    const functionLogs = props.logs
      .toSorted((one, other) => Names.nodeUniqueId(one.node).localeCompare(Names.nodeUniqueId(other.node)))
      .map(({ logGroupName }) => logGroupName);
    for (const { id: queryId, title, over, lines } of SAVED_QUERIES) {
      const logGroupNames = over === 'functions' ? functionLogs : [...props.databaseLogs];
      if (logGroupNames.length === 0) continue;
      new CfnQueryDefinition(this, queryId, {
        name: `BillingOps/${props.environmentName}/${title}`,
        queryString: lines.join('\n'),
        logGroupNames,
      });
    }
  }
}
