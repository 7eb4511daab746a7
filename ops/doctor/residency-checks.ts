import { checkResidency as lookUp } from '../../core/residency/check';
import { residencyCoverage, residencyFindings, residencyFix } from '../../core/residency/contract';
import type { CollectorEnvironment } from '../../lambdas/collector/contract';
import type { Context } from '../context';
import { configurationOf } from '../discover';
import { explain } from '../errors';
import { type Finding, judged } from './finding';

/** Whether data and its copies are in the regions that the settings allow, as the function `maintenance` looks every week. */
export async function checkResidency(context: Context): Promise<Finding[]> {
  const { clients, target } = context;
  try {
    await clients.cloudFormation();
    const { variables } = await configurationOf<CollectorEnvironment>(context, 'collector');
    const found = await lookUp({
      environment: target.environment,
      clients,
      databases: [
        { instanceIdentifier: variables.BILLING_INSTANCE_IDENTIFIER, host: variables.BILLING_DATABASE_HOST },
        { instanceIdentifier: variables.MAIN_INSTANCE_IDENTIFIER, host: variables.MAIN_DATABASE_HOST },
      ],
    });
    const findings = residencyFindings(found);
    const detail = findings.length === 0 ? residencyCoverage(found) : findings.join(', ');
    return [judged('residency', findings.length === 0, detail, residencyFix(found))];
  } catch (cause) {
    throw explain(cause, 'look where data is', target.label);
  }
}
