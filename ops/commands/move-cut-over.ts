import { defineCommand } from '../command';
import { takeStep } from '../move';
import { flag, optional, text } from '../values';

export const moveCutOver = defineCommand({
  name: 'move cut-over',
  summary: 'Lets the new server take the writes of billing, after a pause of seconds',
  details:
    'Webhooks are accepted all the time; the queue holds them. The old server takes no writes any more and receives what is written on the new one, for a way back. If it fails, the old server keeps taking writes. If it is killed, run it again. Where the old server does not answer after a step that was killed, the new one takes the writes without it. Repeated after its end, it writes a secret that still sends functions to the old server, such as one that was made since.',
  effect: 'changes',
  changes: 'which server billing is on, in the secrets of the database.',
  json: 'the report `change` of `lambdas/move/contract.ts`',
  arguments: {},
  options: {
    abandon: flag('After a roll-back whose old server does not answer: lose what functions wrote there'),
    confirm: optional(text('address'), 'The new server as `host:port/database`, typed'),
  },
  examples: [
    { line: 'move cut-over --confirm new.example.com:5432/billing', explains: 'Let the new server take the writes.' },
  ],
  run: (context, { abandon, confirm }) =>
    takeStep(context, 'cut-over', {
      typed: confirm,
      abandon,
      consequence: 'The new server would take the writes of billing.',
    }),
});
