/**
 * The heavier proof: what needs a tool that npm does not have, or more time than `npm test` may take. A test whose tool
 * cannot be had says so loudly and is skipped.
 *
 * @type {import('jest').Config}
 */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['**/*.proof.ts'],
  maxWorkers: 1,
  testTimeout: 300_000,
};
