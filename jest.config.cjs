/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: {
    '^.+\\.(t|j)s$': [
      '@swc/jest',
      { jsc: { target: 'es2024', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  // These are published as ES modules only.
  transformIgnorePatterns: ['/node_modules/(?!node-pg-migrate/|@scure/|@noble/|micro-packed/)'],
  // One PostgreSQL cluster, one S3/SQS server and one set of bundles serve the whole run; see test/support/global-setup.ts.
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  setupFiles: ['<rootDir>/test/support/environment.ts'],
  maxWorkers: 2,
  // A worker with more takes longer to free it at the end than jest waits, and jest then warns of leaks that are none.
  workerIdleMemoryLimit: '800MB',
  testTimeout: 30_000,
};
