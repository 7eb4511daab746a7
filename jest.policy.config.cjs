/**
 * Policy packs over what is deployed: cdk-nag, cfn-lint and checkov. Needs no cluster, so none is started. A test whose
 * tool cannot be had says so loudly and is skipped.
 *
 * @type {import('jest').Config}
 */
module.exports = {
  ...require('./jest.config.cjs'),
  testMatch: ['<rootDir>/test/policy/**/*.policy.ts'],
  globalSetup: undefined,
  globalTeardown: undefined,
  setupFiles: [],
  maxWorkers: 1,
  testTimeout: 600_000,
};
