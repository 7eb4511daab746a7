import { defineCommand } from '../command';
import { failureQueueUrl } from '../failures';
import { peek } from '../peek';
import { table } from '../print/table';
import { moment } from '../print/units';
import { required, text } from '../values';

/** What Lambda leaves in the queue about a request that failed. */
function failureOf(body: string): { readonly request: string; readonly error: string } {
  try {
    const { requestPayload, responsePayload } = JSON.parse(body) as Readonly<Record<string, unknown>>;
    const { errorMessage } = (responsePayload ?? {}) as { readonly errorMessage?: string };
    return { request: JSON.stringify(requestPayload ?? {}), error: errorMessage ?? 'could not be delivered' };
  } catch {
    return { request: body.slice(0, 100), error: 'could not be delivered' };
  }
}

export const failuresList = defineCommand({
  name: 'failures list',
  summary: 'Lists the requests of a schedule or an operator to a function that failed for good',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of `{sentAt, request, error}`',
  finding: 'there is one',
  arguments: { function: required(text('function'), 'The function, such as backup') },
  options: {},
  examples: [{ line: 'failures list backup', explains: 'Which scheduled backups failed, and why?' }],
  async run(context, { function: stem }) {
    const messages = await peek(context, await failureQueueUrl(context, stem));
    const report = messages.map(({ body, sentAt }) => ({ sentAt, ...failureOf(body) }));
    const rows = report.map(({ sentAt, request, error }) => [moment(sentAt, context.now()), request, error]);
    return {
      report,
      lines:
        rows.length === 0
          ? [`No request to ${stem} has failed`]
          : table(['sent', 'request', 'error'], rows, context.style),
      exit: rows.length === 0 ? 'done' : 'finding',
    };
  },
});
