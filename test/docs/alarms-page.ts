import { alarmSuffix, thresholdsOf, type AlarmDefinition } from '../../lib/config/alarms/alarm-definition';
import { OWNERS, type Owner } from '../../lib/config/alarms/owners';
import { alarmsOf } from '../../lib/config/alarms/alarms';
import { EXTENSION_SECONDS, pageRules, WAIT_SECONDS } from '../../lib/config/alarms/causes';
import { simulate } from '../lib/monitoring/cloudwatch/simulate';
import { compositesOf, metricAlarmsOf } from '../lib/monitoring/cloudwatch/template-alarms';
import { CAUSES, OVER_AFTER } from '../lib/monitoring/truth/causes';
import { BITCOIN_FAILURES } from '../lib/monitoring/truth/bitcoin-failures';
import { FAILURES, type Failure } from '../lib/monitoring/truth/failures';
import { healthy, healthyBitcoin, worldOf, type Published } from '../lib/monitoring/truth/published';
import { QUIET } from '../lib/monitoring/truth/stories';
import { templatesOf } from '../lib/support';
import { bitcoinEnvironment, exampleEnvironment } from '../support/example-environments';

const PREFIX = 'BillingOps-production-';
const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly (string | number)[])[]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** The text of `docs/alarms.md`. */
export function alarmsPage(): string {
  return `# Alarms

Every alarm of an environment like [examples/production.yaml](../examples/production.yaml), with what raised it in the test of the alarms and
after how many minutes. The test evaluates the alarms of the template as CloudWatch does (\`test/lib/monitoring/cloudwatch\`): it reproduces the tables of
CloudWatch's guide, sees what was published two minutes late, and knows no AWS. What to do is in the [runbook](runbook.md).

## Who is woken

There are two topics, for all alarms or for those of a group. **Critical** is for the paging tool, at any hour. **Warning** is for mail or a chat that
is read in working hours: no warning pages, at night or by day, and each one lasts until it is seen to. CloudWatch knows no night; a schedule of who is paged when belongs to the paging tool, which
subscribes to a topic by its own rules.

Every alarm has an owner, one of three groups, in its text and as its tag \`alarm-owner\`. So has what AWS reports (\`lib/monitoring/failure-events.ts\`); what
recoveries, drills and archives of large databases ask and report is of \`data\`.

${table(['group', 'owns', 'alarms'], ownerRows())}

All groups share the two topics, unless the environment gives a group its own, with or without addresses:

\`\`\`yaml
alarmOwners:
  data:
    warning: [dba@example.com]
    critical: [dba-pager@example.com]
\`\`\`

The alarms and messages of that group then go to its topics and to no others; the stack prints them as \`AlertsDataCriticalTopic…\` and \`AlertsDataWarningTopic…\`. Each
has an alarm of \`platform\` on what it could not deliver, \`criticalAlertsUndelivered-data\` and \`warningsUndelivered-data\`. A cause pages its own group only: when the
database is down, \`data\` is woken, and what follows from it and is of \`billing\` does not page. Until a subscription of the new topics is confirmed, the
group's alarms are not delivered: \`npx ops doctor\` says so.

## Raised by its fault

${table(['alarm', 'severity', 'owner', 'heading of the runbook', 'fault', 'minutes'], faultRows())}

None of them is raised by: ${QUIET.map(({ name }) => name).join('; ')}. On the first day, the warning \`collectorIncomplete\` is, until the migrations are applied.

## Payments in bitcoin

Only of an environment with the setting \`bitcoin\`; the thresholds of \`bitcoinSlow\` and \`bitcoinReorganisation\` are its settings. \`confirmationsMissing\` does not page
while \`databaseUnreachable-billing\` is raised.

${table(['alarm', 'severity', 'owner', 'heading of the runbook', 'fault', 'minutes'], bitcoinRows())}

## One cause, one page

A critical alarm that others cause pages by a composite alarm, \`<alarm>-page\`, with the same text. While one of its causes is raised, it does not page; it waits for
a cause for ${WAIT_SECONDS / 60} minutes (\`webhookFailures\`: 10), and stays silent for ${EXTENSION_SECONDS / 60} after the cause is over. What is still raised then, pages. The list is in
\`lib/config/alarms/causes.ts\`.

${table(['alarm', 'does not page while one of these is raised'], followerRows())}

In the test:

${table(['cause', 'raises critical alarms', 'pages', 'minutes'], causeRows())}

A cause that stays raised for days keeps what follows from it silent for as long: mend it, or raise its threshold.
`;
}

const faultRows = () =>
  rowsOf('production', alarmsOf(exampleEnvironment('production')), { failures: FAILURES, published: healthy() });

function bitcoinRows(): (readonly (string | number)[])[] {
  const others = new Set(alarmsOf(exampleEnvironment('production')).map(({ name }) => name));
  return rowsOf(
    'bitcoin',
    alarmsOf(bitcoinEnvironment()).filter(({ name }) => !others.has(name)),
    { failures: BITCOIN_FAILURES, published: [...healthy(), ...healthyBitcoin()] },
  );
}

function rowsOf(
  environment: string,
  of: readonly AlarmDefinition[],
  { failures, published }: { readonly failures: readonly Failure[]; readonly published: readonly Published[] },
): (readonly (string | number)[])[] {
  const alarms = metricAlarmsOf(templatesOf(environment).monitoring);
  const definitions = of.flatMap((definition) =>
    thresholdsOf(definition).map(([severity]) => ({ definition, severity, suffix: alarmSuffix(definition, severity) })),
  );
  return definitions.map(({ definition, severity, suffix }) => {
    const failure = failures.find(({ alarm }) => alarm === suffix);
    if (failure === undefined) throw new Error(`${suffix}: no fault in test/lib/monitoring/truth/failures.ts`);
    const { transitions } = simulate({
      alarms: alarms.filter(({ name }) => name === `${PREFIX}${suffix}`),
      world: worldOf(published, failure.published),
      from: -20,
      to: failure.within,
      initial: 'OK',
    });
    const { owner, runbookAnchor } = definition;
    const link = `[${runbookAnchor.replaceAll('-', ' ')}](runbook.md#${runbookAnchor})`;
    return [`\`${suffix}\``, severity, owner, link, failure.fault, transitions[0]?.minute ?? 'never'];
  });
}

const OWNED: Readonly<Record<Owner, string>> = {
  billing: 'payments and access: webhooks, events, reconciliation, entitlements, the API, what Stripe asks for',
  data: 'databases and their passwords, backups, copies, drills, recoveries, maintenance',
  platform: 'functions, the collector, keys, certificates, the alerts themselves',
};

function ownerRows(): (readonly (string | number)[])[] {
  const alarms = alarmsOf(exampleEnvironment('production'));
  return OWNERS.map((owner) => [
    `\`${owner}\``,
    OWNED[owner],
    alarms.filter((alarm) => alarm.owner === owner).flatMap(thresholdsOf).length,
  ]);
}

function followerRows(): string[][] {
  const rules = pageRules(alarmsOf(exampleEnvironment('production')));
  return [...rules].map(([name, { causes }]) => [`\`${name}\``, causes.map((cause) => `\`${cause.name}\``).join(', ')]);
}

function causeRows(): (readonly (string | number)[])[] {
  const { monitoring } = templatesOf('production');
  const composites = compositesOf(monitoring);
  const alarms = metricAlarmsOf(monitoring).filter(({ topics }) => !topics.some((topic) => topic.includes('Warning')));
  return CAUSES.map(({ name, world }) => {
    const { transitions, notifications } = simulate({
      alarms,
      composites,
      world,
      from: -5,
      to: OVER_AFTER,
      initial: 'OK',
    });
    const own = new Set(alarms.map((alarm) => alarm.name));
    const raised = new Set(
      transitions.flatMap(({ state, alarm }) => (state === 'ALARM' && own.has(alarm) ? [alarm] : [])),
    );
    const pages = notifications.map(({ alarm }) => `\`${alarm.slice(PREFIX.length)}\``).join(', ');
    return [name, raised.size, pages, notifications[0]?.minute ?? 'never'];
  });
}
