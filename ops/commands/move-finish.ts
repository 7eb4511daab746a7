import { defineCommand } from '../command';
import { takeStep } from '../move';
import { flag, optional, text } from '../values';

export const moveFinish = defineCommand({
  name: 'move finish',
  summary: 'Ends the move of billing: removes what it made, and with it the way back',
  details:
    'Not before 7 days after the cut-over, nor while a secret sends functions to the old server. The old server keeps refusing writes; delete it yourself.',
  effect: 'changes',
  changes:
    'removes subscriptions, slots, publications and the role of replication on both servers, and lets migrations run again.',
  json: 'the report `change` of `lambdas/move/contract.ts`',
  arguments: {},
  options: {
    early: flag('Before the 7 days are over'),
    confirm: optional(text('address'), 'The new server as `host:port/database`, typed'),
  },
  examples: [{ line: 'move finish --confirm new.example.com:5432/billing', explains: 'End the move, a week later.' }],
  run: (context, { confirm, early }) =>
    takeStep(context, 'finish', {
      typed: confirm,
      early,
      consequence: 'There would be no way back to the old server but a restore.',
    }),
});
