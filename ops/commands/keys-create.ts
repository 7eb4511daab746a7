import { SCOPES } from '../../core/keys/contract';
import { callerName } from '../audit';
import { assertExactlyOne } from '../choices';
import { defineCommand } from '../command';
import { describeNewKey } from '../keys';
import { anyNumber, flag, oneOf, optional, required, several, text, timeToCome } from '../values';

export const keysCreate = defineCommand({
  name: 'keys create',
  summary: 'Creates a key of the HTTP API, and prints it once',
  details: 'Only its digest is stored. A key with the scope `admin` may do everything, in every project.',
  effect: 'changes',
  changes: 'adds a key; with --dry-run, nothing.',
  json: 'the report `create` of `lambdas/keys/contract.ts`, which holds the key',
  arguments: { scopes: several(oneOf('scope', SCOPES), 'What it allows') },
  options: {
    name: required(text('name'), 'Name, such as that of the application'),
    project: anyNumber(text('project'), 'Project that it is for; may be repeated'),
    allProjects: flag('For every project'),
    expires: optional(
      timeToCome(),
      'From when it is refused: a moment to come, or a span from now such as 90d. Default: never',
    ),
    dryRun: flag('Check the request, and create nothing'),
  },
  examples: [
    {
      line: 'keys create entitlements:read --name academy --project project-1',
      explains: 'Let an application ask what its users may use.',
    },
    {
      line: 'keys create entitlements:read --name trial --project project-1 --expires 90d',
      explains: 'Let a partner try it for 90 days.',
    },
    { line: 'keys create metrics:read --name prometheus --all-projects', explains: 'Let Prometheus scrape /metrics.' },
  ],
  async run({ invoke, clients, target }, { scopes, name, project, allProjects, expires, dryRun }) {
    assertExactlyOne({ 'one or more --project': project.length > 0, '--all-projects': allProjects });
    const { contract, createKeyReport } = await import('../../lambdas/keys/contract');
    const report = await invoke(
      'keys',
      { ...contract, report: createKeyReport },
      {
        action: 'create',
        name,
        scopes,
        projects: allProjects ? null : project,
        expiresAt: expires ?? null,
        by: await callerName(clients, target),
        dryRun,
      },
    );
    return { report, lines: report.key === null ? ['A key would be created'] : describeNewKey(report.key) };
  },
});
