import { readdirSync } from 'node:fs';
import type { Finding } from './finding';
import { jsonOf } from './python-tool';
import { pathOf, type Synthesis } from './synthesis';

/** A tool that reads the templates in a folder. */
export type TemplateTool = (command: string, folder: string, synthesis: Synthesis) => Promise<Finding[]>;

interface LintMatch {
  readonly Filename: string;
  readonly Message: string;
  readonly Rule: { readonly Id: string };
  readonly Location: { readonly Path: readonly (string | number)[] };
}

/** What cfn-lint finds: errors, warnings and, were any switched on, notices. */
export const cfnLint: TemplateTool = async (command, folder, synthesis) => {
  const templates = readdirSync(folder).filter((file) => file.endsWith('.template.json'));
  const matches = (await jsonOf(command, ['--format', 'json', ...templates], folder)) as LintMatch[];
  return matches.map(({ Filename, Message, Rule, Location }) => ({
    id: Rule.Id,
    path: pathOf(synthesis, Filename, String(Location.Path[1])),
    message: Message,
  }));
};

interface CheckovReport {
  readonly results: { readonly failed_checks: readonly CheckovCheck[] };
  readonly summary: { readonly parsing_errors: number; readonly resource_count: number };
}

interface CheckovCheck {
  readonly check_id: string;
  readonly check_name: string;
  readonly file_path: string;
  /** Such as `AWS::SQS::Queue.Events`. */
  readonly resource: string;
}

/** What checkov finds. It is kept from asking anybody on the network. */
export const checkov: TemplateTool = async (command, folder, synthesis) => {
  const args = [
    '--framework',
    'cloudformation',
    '--skip-download',
    '--directory',
    '.',
    '--output',
    'json',
    '--compact',
  ];
  const { results, summary } = (await jsonOf(command, args, folder)) as CheckovReport;
  if (summary.parsing_errors > 0 || summary.resource_count === 0) {
    throw new Error(`checkov could not read every template: ${JSON.stringify(summary)}`);
  }
  return results.failed_checks.map(({ check_id, check_name, file_path, resource }) => ({
    id: check_id,
    path: pathOf(synthesis, file_path, resource.slice(resource.lastIndexOf('.') + 1)),
    message: check_name,
  }));
};
