import type { InspectEnvironment } from '../../lambdas/inspect/contract';
import { defineCommand } from '../command';
import { variableOf } from '../discover';
import { peek } from '../peek';
import { table } from '../print/table';
import { moment } from '../print/units';

const EVENT_ID = /^evt_[\w.-]{1,250}$/;
const TYPE = /^[\w.]{1,100}$/;

/** Id and type of the event that a message is; nulls where it is none. Nothing else of it is shown: it may name people. */
function eventOf(body: string): { readonly id: string | null; readonly type: string | null } {
  try {
    const { id, type } = JSON.parse(body) as { readonly id?: unknown; readonly type?: unknown };
    if (typeof id === 'string' && EVENT_ID.test(id) && typeof type === 'string' && TYPE.test(type)) return { id, type };
  } catch {
    // As for JSON of another form.
  }
  return { id: null, type: null };
}

export const webhooksParked = defineCommand({
  name: 'webhooks parked',
  summary: 'Lists the oldest messages that failed every attempt; they stay parked',
  details:
    'A message that is no event is deleted by its id, with "ops webhooks dismiss --message". The message of an event that was dismissed leaves the queue when it is moved back once more, by "ops webhooks redrive".',
  effect: 'reads',
  changes: 'nothing.',
  json: 'a list of `{message, id, type, sentAt, receives}`, `message` being its id in the queue, and `id` and `type` null for what is no event; payloads, which hold personal data, are left out',
  finding: 'a message is parked',
  arguments: {},
  options: {},
  examples: [{ line: 'webhooks parked', explains: 'Which events does the database lack?' }],
  async run(context) {
    const queueUrl = await variableOf<InspectEnvironment>(context, 'inspect', 'DEAD_LETTER_QUEUE_URL');
    const messages = await peek(context, queueUrl);
    const report = messages.map(({ id, body, sentAt, receives }) => ({
      message: id,
      ...eventOf(body),
      sentAt,
      receives,
    }));
    const rows = report.map(({ message, id, type, sentAt, receives }) => [
      id,
      type ?? 'no event',
      message,
      moment(sentAt, context.now()),
      receives,
    ]);
    const headings = ['event', 'type', 'message', 'sent', 'receives'];
    return {
      report,
      lines: rows.length === 0 ? ['Nothing is parked'] : table(headings, rows, context.style),
      exit: rows.length === 0 ? 'done' : 'finding',
    };
  },
});
