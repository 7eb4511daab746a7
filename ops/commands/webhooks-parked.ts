import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import { variableOf } from '../discover';
import { peek } from '../peek';
import { table } from '../print/table';
import { moment } from '../print/units';

/** Id and type of an event, where the message is one. */
function eventOf(body: string): { readonly id: string; readonly type: string } {
  try {
    const { id, type } = JSON.parse(body) as { readonly id?: unknown; readonly type?: unknown };
    if (typeof id === 'string' && typeof type === 'string') return { id, type };
  } catch {
    // As for JSON of another form.
  }
  return { id: 'no event', type: body.slice(0, 60) };
}

export const webhooksParked = defineCommand({
  name: 'webhooks parked',
  summary: 'Lists the oldest messages that failed every attempt; they stay parked',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of `{id, type, sentAt, receives}`; payloads, which hold personal data, are left out',
  finding: 'a message is parked',
  arguments: {},
  options: {},
  examples: [{ line: 'webhooks parked', explains: 'Which events does the database lack?' }],
  async run(context) {
    const queueUrl = await variableOf<InspectEnvironment>(context, 'inspect', 'DEAD_LETTER_QUEUE_URL');
    const messages = await peek(context, queueUrl);
    const report = messages.map(({ body, sentAt, receives }) => ({ ...eventOf(body), sentAt, receives }));
    const rows = report.map(({ id, type, sentAt, receives }) => [id, type, moment(sentAt, context.now()), receives]);
    const headings = ['event', 'type', 'sent', 'receives'];
    return {
      report,
      lines: rows.length === 0 ? ['Nothing is parked'] : table(headings, rows, context.style),
      exit: rows.length === 0 ? 'done' : 'finding',
    };
  },
});
