import { SCOPES } from '../../core/keys/contract';
import { callerName } from '../audit';
import { defineCommand } from '../command';
import { CommandError } from '../errors';
import { describeNewKey } from '../keys';
import { anyNumber, flag, oneOf, optional, required, several, text, time } from '../values';

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
    expires: optional(time(), 'From when it is refused, a moment to come. Default: never'),
    dryRun: flag('Check the request, and create nothing'),
  },
  examples: [
    {
      line: 'keys create entitlements:read --name academy --project project-1',
      explains: 'Let an application ask what its users may use.',
    },
    { line: 'keys create metrics:read --name prometheus --all-projects', explains: 'Let Prometheus scrape /metrics.' },
  ],
  async run({ invoke, clients, target }, { scopes, name, project, allProjects, expires, dryRun }) {
    if (allProjects === project.length > 0) {
      throw new CommandError('usage', 'Give one or more --project, or --all-projects');
    }
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
