/**
 * The heavier proof: what needs a tool that npm does not have, or more time than `npm test` may take, which is two minutes
 * on two cores. A file is one by its name, wherever it is. A test whose tool cannot be had says so loudly and is skipped.
 *
 * @type {import('jest').Config}
 */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['**/*.proof.ts'],
  testTimeout: 300_000,
  // They wait for processes and servers a third of their time: two workers left two cores idle so long.
  maxWorkers: 3,
};
