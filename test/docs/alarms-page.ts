import { alarmSuffix, thresholdsOf, type AlarmDefinition } from '../../lib/config/alarms/alarm-definition';
import { OWNERS, type Owner } from '../../lib/config/alarms/owners';
import { alarmsOf } from '../../lib/config/alarms/alarms';
import { EXTENSION_SECONDS, pageRules, WAIT_SECONDS } from '../../lib/config/alarms/causes';
import { simulate } from '../lib/monitoring/cloudwatch/simulate';
import {
  compositesOf,
  metricAlarmsOf,
  pagingAlarmsOf,
  tellsReturn,
} from '../lib/monitoring/cloudwatch/template-alarms';
import { CAUSES, OVER_AFTER } from '../lib/monitoring/truth/causes';
import { BITCOIN_FAILURES } from '../lib/monitoring/truth/bitcoin-failures';
import type { Failure } from '../lib/monitoring/truth/failure';
import { FAILURES } from '../lib/monitoring/truth/failures';
import { healthy, healthyBitcoin, worldOf, type Published } from '../lib/monitoring/truth/published';
import { flap, FLAPPING, FORGOTTEN, MOST_PAGES, NIGHT, RHYTHMS, SLOW } from '../lib/monitoring/truth/flapping';
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

## What the test rests on

| what                                                                  | compared with                                                                                                                  |
| --------------------------------------------------------------------- | ------------------------------------------------------------------------------------------------------------------------------ |
| M of N, missing data, the evaluation range                            | the rows of both tables of CloudWatch's guide on missing data                                                                  |
| metric math: \`IF\`, \`FILL\`, \`MAX\`, a missing operand               | the guide's examples; where it is silent on an operand that never had data, every story holds for both readings                |
| composite rules, and how their actions are suppressed                 | the guide's six examples of wait and extension                                                                                   |
| a threshold over one metric, at a real HTTP API                       | MiniStack, in the deployment rehearsal: it evaluates thresholds, and ignores dimensions, M of N and missing data               |
| metric math and composite alarms, by another's code                   | none: MiniStack rejects them, moto evaluates no alarm (its state is what a caller sets), and no other was found that can be had here |
| periods that begin when CloudWatch chooses, a late or lost evaluation | none: only an account of AWS shows them                                                                                        |

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

A critical alarm that others cause pages by a composite alarm, \`<alarm>-page\`, with the same text. While one of its causes is raised, it does not page: the composite
\`<alarm>-silent\` suppresses it. It waits for a cause for ${WAIT_SECONDS / 60} minutes (\`webhookFailures\` and \`apiFailed\`: 10; what only trouble of the region causes: 1), and stays silent
for ${EXTENSION_SECONDS / 60} after the cause is over. What is still raised then, pages. The list is in \`lib/config/alarms/causes.ts\`. A cause implies what follows from it: a canary that
fails for a reason of its own does not silence the age of the queue, nor do blocked deliveries, which anybody can send, silence throttled ones.

${table(['alarm', 'does not page while one of these is raised'], followerRows())}

In the test:

${table(['cause', 'raises critical alarms', 'pages', 'minutes'], causeRows())}

A cause that stays raised for days keeps what follows from it silent for as long: mend it, or raise its threshold.

## When the region fails

\`regionTrouble\` is raised when unlike things fail at once: the collector does not run, and the endpoint answers 5xx or the canary does not arrive; or neither
database answers and the endpoint answers 5xx. It pages once, with the link to AWS Health, in place of \`collectorMissing\`, \`databaseUnreachable\` and \`canaryFailed\`. A bad
deployment, a disabled key or a used-up quota look the same; the [runbook](runbook.md#region-trouble) begins with telling them apart.

It is no proof against the loss of the region, and nothing in the region can be: CloudWatch, SNS and the functions are lost with it, and then **no alarm arrives at all**. What
covers that comes from elsewhere: a check of an uptime service outside AWS on \`<API URL>/health\` every minute, which pages by a way of its own
([deploy](deploy.md)); AWS Health's mails to the account; and Stripe, which mails the owner of the account about an endpoint that fails for long.

## What comes and goes

An alarm is raised again each time its value crosses the threshold. The page is not sent again: once an alarm on a value that may flap has paged, its page
stays raised until the value has not breached for fifty minutes (\`<alarm>-lately\`), and what returns meanwhile is the same page. One that never stays raised for the minute
that its page waits pages when it breaches in eight periods of an hour (\`<alarm>-returns\`). \`collectorMissing\` and \`databaseUnreachable\` stay raised while they breach in one
period more within an hour than raises them. \`webhookFailures\`, \`apiFailed\` and \`canaryFailed\` wait for a
cause longer than each return may last. They page also once they breached in 3 periods of five minutes within three hours (\`canaryFailed\`: 4 within two), one of them within
75 minutes, unless a cause that explains it was raised within three and a half hours (\`<cause>-recently\`). In a night of eight hours in which a fault comes and goes, the alarm was raised and paged:

${table(['alarm', ...RHYTHMS.map(([on, off]) => `${on} min there, ${off} away`)], flappingRows())}

What is away for longer than fifty minutes is another fault when it returns, and pages as soon as the first: that is the most pages, ${MOST_PAGES} in ${NIGHT / 60} hours. What is raised
at all pages once at least in these rhythms; in one of ${FORGOTTEN.join(' minutes and ')} away, \`apiFailed\` reaches its warning only. So does a single failure of ten minutes of the three that
wait (of the canary: \`canaryLost\`). \`webhookDelivery\`, the share of an hour, has no such memory, as its page would then wait: with about twenty deliveries an hour, the least that
it judges, a tenth of which fails for a whole night, it pages up to 15 times. Let the paging tool join what has the same alarm name within an hour.

## Without computed alarms

With \`computedAlarms: false\`, an environment like that has none of these, nor \`regionTrouble\`; each critical alarm that is left pages by itself, whatever its cause and as often as it is raised:
${computedAlarms()
  .map((name) => `\`${name}\``)
  .join(', ')}.

Of the canary, \`canaryLost\` is left, a warning: nothing then pages when test events do not arrive, or when it does not run.
`;
}

/** Names of the alarms that an environment without computed alarms lacks. */
export function computedAlarms(): string[] {
  return alarmsOf(exampleEnvironment('production')).flatMap((definition) =>
    definition.metric.from === 'math'
      ? thresholdsOf(definition).map(([severity]) => alarmSuffix(definition, severity))
      : [],
  );
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
    if (failure === undefined) throw new Error(`${suffix}: no fault in test/lib/monitoring/truth`);
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

function flappingRows(): string[][] {
  return [...FLAPPING, SLOW].map((name) => [
    `\`${name}\``,
    ...RHYTHMS.map((rhythm) => {
      const { raised, pages } = flap(name, rhythm);
      return raised === 0 ? '–' : `${raised} raised, ${pages} paged`;
    }),
  ]);
}

function followerRows(): string[][] {
  const rules = pageRules(alarmsOf(exampleEnvironment('production')));
  return [...rules]
    .filter(([, { causes }]) => causes.length > 0)
    .map(([name, { causes }]) => [
      `\`${name}\``,
      causes.map((cause) => cause.map((one) => `\`${one}\``).join(' and ')).join(', '),
    ]);
}

function causeRows(): (readonly (string | number)[])[] {
  const { monitoring } = templatesOf('production');
  const composites = compositesOf(monitoring);
  const alarms = pagingAlarmsOf(monitoring);
  return CAUSES.map(({ name, world }) => {
    const { transitions, pages: sent } = simulate({
      alarms,
      composites,
      world,
      from: -5,
      to: OVER_AFTER,
      initial: 'OK',
    });
    const own = new Set(
      metricAlarmsOf(monitoring).flatMap(({ name: one, topics }) =>
        tellsReturn(one) || topics.some((topic) => topic.includes('Warning')) ? [] : [one],
      ),
    );
    const raised = new Set(
      transitions.flatMap(({ state, alarm }) => (state === 'ALARM' && own.has(alarm) ? [alarm] : [])),
    );
    const pages = sent.map(({ alarm }) => `\`${alarm.slice(PREFIX.length)}\``).join(', ');
    return [name, raised.size, pages, sent[0]?.minute ?? 'never'];
  });
}
