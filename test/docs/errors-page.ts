import { API_PROBLEMS } from '../../lambdas/api/contract';
import { ERROR_CODES, errorName, EXIT_STATUS, type ErrorCode } from '../../core/runtime/error-codes';

const EXIT_MEANINGS: Record<keyof typeof EXIT_STATUS, string> = {
  done: 'Everything that was asked for is done.',
  finding: 'The command ran and reports something that needs attention.',
  usage: 'The request is malformed. Nothing was done.',
  refused: 'The request is well-formed, but the state of the data forbids it. Nothing was done.',
  failed: 'The attempt failed. The report or the log says how far it came.',
};

/** The text of `docs/errors.md`, from the table of error codes. */
export function errorsPage(): string {
  const rows = (Object.keys(ERROR_CODES) as ErrorCode[]).map((code) => {
    const { retryable, exit, httpStatus, meaning, runbook } = ERROR_CODES[code];
    const cells = [
      `\`${code}\``,
      meaning,
      retryable ? 'yes' : 'no',
      String(EXIT_STATUS[exit]),
      String(httpStatus),
      runbook === undefined ? '' : `[${titleOf(runbook)}](runbook.md#${runbook})`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const problems = Object.entries(API_PROBLEMS).map(
    ([code, { status, meaning }]) => `| \`${code}\` | ${status} | ${meaning} |`,
  );
  return `# Errors

Generated from \`core/runtime/error-codes.ts\` and \`lambdas/api/contract.ts\`; \`npx tsx test/docs/write-errors.ts\` writes this page again.

A function that fails logs the code and the message of its error. Lambda answers with \`errorType\`, which is the code in
Pascal case (\`store_unavailable\` is \`${errorName('store_unavailable')}\`), and \`errorMessage\`, which says what to do.
What the platform did not throw, such as a timeout of Lambda's, keeps Lambda's own name.

| code | meaning | retryable | exit | HTTP | runbook |
| ---- | ------- | --------- | ---- | ---- | ------- |
${rows.join('\n')}

Retryable: the same call may succeed later without any change by an operator.

## Problems of the API

What the [HTTP API](api.md#errors) answers has the status and the code of the table above, or one of these, in \`application/problem+json\`:

| code | status | meaning |
| ---- | ------ | ------- |
${problems.join('\n')}

## Exit codes

| exit | meaning |
| ---- | ------- |
${Object.entries(EXIT_STATUS)
  .map(([name, status]) => `| ${status} | ${EXIT_MEANINGS[name as keyof typeof EXIT_STATUS]} |`)
  .join('\n')}
`;
}

function titleOf(anchor: string): string {
  const words = anchor.replaceAll('-', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
