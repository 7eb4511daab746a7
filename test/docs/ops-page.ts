import { EXIT_STATUS } from '../../core/runtime/error-codes';
import type { Command } from '../../ops/command';
import { EXIT_INTERRUPTED } from '../../ops/errors';
import { COMMANDS } from '../../ops/commands';
import { argumentUsage, commandUsage, optionUsage, valueSummary } from '../../ops/usage';

const EXITS: Readonly<Record<keyof typeof EXIT_STATUS, string>> = {
  done: 'Everything that was asked for is done.',
  finding: 'Done, and the output shows something that needs attention. Each command says when.',
  usage: 'The command line is wrong. Nothing was done.',
  refused: 'The state of the platform forbids it, or it was not confirmed. Nothing was done.',
  failed: 'It could not be carried out. The line says how far it came, or where to look.',
};

/** The text of `docs/ops.md`, from the descriptions of the commands. */
export function opsPage(): string {
  return `# ops

Generated from the descriptions in \`ops/commands\`; \`npx tsx test/docs/write-ops.ts\` writes this page again.

\`npx ops <command> --env <environment>\` does whatever a person may do to the platform. It speaks only to AWS's APIs, with your
own AWS credentials (\`AWS_PROFILE\`, \`AWS_REGION\`); \`--env local\` is the same against the platform that \`npm start\` runs.
\`OPS_ENV\` saves typing \`--env\`; \`npm link\` puts \`ops\` on the PATH, which saves the start of npx, seconds each time. \`npm run pack:ops\` packs it alone, without sources or dependencies, for \`npm install -g ./billing-operations-<version>.tgz\` elsewhere. \`source <(npx ops completion bash)\` completes commands; so does \`zsh\`.
\`--env\`, \`--json\`, \`--verbose\` and \`--without-audit\` may stand before or after a command. \`ops help webhooks retry\` is \`ops webhooks retry --help\`; \`ops --version\` prints the version.

Times are ISO 8601 with a zone, or a span before now: \`2026-11-21T06:00:00Z\`, \`90m\`, \`6h\`, \`2d\`; after now in \`keys create --expires\`. Output is for people, in UTC
and coloured at a terminal unless \`NO_COLOR\` is set; \`--json\` prints the report that the function answered, whose form is its
contract. Errors are one line, \`--verbose\` adds the stack. Ctrl-C stops waiting, never what was started.

An action that changes something leaves a record that cannot be changed for a year: who, by STS, did what, when, and how it
ended. \`ops audit\` lists them. A command that destroys or overwrites shows what it will do, and does it only once the name
that it asks for is typed, or given as \`--confirm\`; without a terminal to ask at, it refuses.

| exit | meaning |
| ---- | ------- |
${Object.entries(EXITS)
  .map(([name, meaning]) => `| ${EXIT_STATUS[name as keyof typeof EXIT_STATUS]} | ${meaning} |`)
  .join('\n')}
| ${EXIT_INTERRUPTED} | Ctrl-C ended the waiting. What was started continues; the line says where to see how it ends. |

| command | does | changes |
| ------- | ---- | ------- |
${COMMANDS.map(({ name, summary, changes }) => `| [${name}](#${name.replaceAll(' ', '-')}) | ${cell(summary)} | ${cell(changes)} |`).join('\n')}

${COMMANDS.map(section).join('\n')}`;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}

function section(command: Command): string {
  const { name, summary, details, changes, finding, json, examples, effect } = command;
  const rows = [
    ...Object.entries(command.arguments).map(([key, value]) => [argumentUsage(key, value), valueSummary(value)]),
    ...Object.entries(command.options).map(([key, value]) => [optionUsage(key, value), valueSummary(value)]),
  ].map(([usage = '', text = '']) => `| \`${cell(usage)}\` | ${cell(text)} |`);
  return `## ${name}

${summary}.${details === undefined ? '' : ` ${details}`}

\`\`\`
${commandUsage(command)}
\`\`\`

${rows.length === 0 ? '' : `| | |\n| --- | --- |\n${rows.join('\n')}\n`}
- Changes: ${changes}${effect === 'reads' ? '' : ' Recorded in the audit log.'}
- Exits with 1: ${finding ?? 'never'}.
- \`--json\`: ${json}.

\`\`\`bash
${examples.map(({ line, explains }) => `ops ${line} # ${explains}`).join('\n')}
\`\`\`
`;
}
