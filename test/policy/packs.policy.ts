import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { accepts, acknowledgementsOf, standsAtResource, tableOf } from './acknowledgements';
import { describeFindings, type Finding } from './finding';
import { everything, PACKS, unacknowledged, type PackName } from './nag';
import { CFN_LINT, CHECKOV, pythonTool } from './python-tool';
import { ENVIRONMENTS, synthesiseAll, type Synthesis } from './synthesis';
import { cfnLint, checkov, type TemplateTool } from './template-tools';

/** The findings of one tool: all of them, and those that are not acknowledged. */
interface Counts {
  readonly all: readonly Finding[];
  readonly left: readonly Finding[];
}

const packNames = Object.keys(PACKS) as PackName[];
const TEMPLATE_TOOLS: readonly [string, TemplateTool, string | undefined][] = [
  ['cfn-lint', cfnLint, pythonTool(CFN_LINT)],
  ['checkov', checkov, pythonTool(CHECKOV)],
];

const root = mkdtempSync(path.join(tmpdir(), 'policy-'));
const counts = new Map<string, Counts>();
const skipped = TEMPLATE_TOOLS.filter(([, , command]) => command === undefined).map(([name]) => name);
let synthesis: Synthesis;

beforeAll(async () => {
  synthesis = synthesiseAll(root);
  const { app, folder, plainFolder } = synthesis;
  for (const name of packNames) counts.set(name, { all: everything(name, app), left: unacknowledged(name, app) });
  counts.set('CloudFormation validator', validatorCounts(folder));
  await Promise.all(
    TEMPLATE_TOOLS.map(async ([name, tool, command]) => {
      if (command === undefined) return;
      const all = await tool(command, plainFolder, synthesis);
      counts.set(name, { all, left: await tool(command, folder, synthesis) });
    }),
  );
});

afterAll(() => {
  const lines = [...counts].map(([name, { all, left }]) => `| ${name} | ${all.length} | ${left.length} |`);
  const table = ['| tool | findings | not acknowledged |', '| --- | --- | --- |', ...lines].join('\n');
  process.stdout.write(`\n${ENVIRONMENTS.map(({ name }) => name).join(', ')}, every stack:\n\n${table}\n\n`);
  process.stdout.write(`${tableOf(acknowledgementsOf(synthesis.app))}\n\n`);
  for (const name of skipped)
    process.stdout.write(`NOT PROVEN: ${name} did not run, because it is not installed and cannot be\n`);
  rmSync(root, { recursive: true, force: true });
});

/** The validator of the framework, with its default rules, which ran with the synthesis. */
function validatorCounts(folder: string): Counts {
  interface Violation {
    readonly ruleName: string;
    readonly description: string;
    readonly violatingConstructs: readonly { readonly constructPath: string }[];
  }
  const { pluginReports } = JSON.parse(readFileSync(path.join(folder, 'validation-report.json'), 'utf8')) as {
    readonly pluginReports: readonly {
      readonly violations: readonly Violation[];
      readonly suppressedViolations?: readonly Violation[];
    }[];
  };
  const findings = (violations: readonly Violation[]): Finding[] =>
    violations.flatMap(({ ruleName, description, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => ({
        id: `CloudFormation-Validate::${ruleName}`,
        path: constructPath,
        message: description,
      })),
    );
  const left = pluginReports.flatMap(({ violations }) => findings(violations));
  return {
    all: [...left, ...pluginReports.flatMap(({ suppressedViolations = [] }) => findings(suppressedViolations))],
    left,
  };
}

test.each([...packNames, 'CloudFormation validator'])('%s finds nothing that is not acknowledged', (name) => {
  expect(describeFindings(counts.get(name)?.left ?? [])).toEqual([]);
  expect(counts.has(name)).toBe(true);
});

for (const [name, , command] of TEMPLATE_TOOLS) {
  (command === undefined ? describe.skip : describe)(name, () => {
    test('finds nothing that is not acknowledged', () => {
      expect(describeFindings(counts.get(name)?.left ?? [])).toEqual([]);
      expect(counts.has(name)).toBe(true);
    });
  });
}

test('every acknowledgement is on the resource that has the finding', () => {
  const blanket = acknowledgementsOf(synthesis.app).filter((accepted) => !standsAtResource(accepted));
  expect(blanket.map(({ id, construct }) => `${id} at ${construct.node.path}`)).toEqual([]);
});

/** Acknowledged by the framework itself, for an error in the specification of flow logs. */
const OF_FRAMEWORK = ['CloudFormation-Validate::F3002', 'CloudFormation-Validate::F3003'];

test('every acknowledgement has a finding', () => {
  const findings = [...counts.values()].flatMap(({ all }) => all);
  const ran = (id: string) =>
    !(skipped.includes('checkov') && id.startsWith('CKV')) &&
    !(skipped.includes('cfn-lint') && /^[WEI]\d{4}$/.test(id));
  const stale = acknowledgementsOf(synthesis.app).filter(
    (accepted) =>
      // An acknowledged warning of the framework itself disappears from the tree.
      !accepted.id.startsWith('@aws-cdk/') &&
      !OF_FRAMEWORK.includes(accepted.id) &&
      ran(accepted.id) &&
      !findings.some((finding) => accepts(accepted, finding)),
  );
  expect(stale.map(({ id, construct }) => `${id} at ${construct.node.path}`)).toEqual([]);
});

test('every reason has at least five words', () => {
  const thin = acknowledgementsOf(synthesis.app).filter(({ reason }) => reason.split(' ').length < 5);
  expect(thin.map(({ id, construct, reason }) => `${id} at ${construct.node.path}: ${reason}`)).toEqual([]);
});
