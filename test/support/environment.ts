import { readFileSync } from 'node:fs';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { testServices } from './services';

// One test keeps CloudFormation's validator on; the others save its time (see aws-cdk-lib/core validation).
process.env.CDK_VALIDATION ??= 'false';
process.env.POWERTOOLS_DEV = 'false';
process.env.AWS_REGION = 'eu-central-1';
process.env.AWS_ACCESS_KEY_ID = 'test';
process.env.AWS_SECRET_ACCESS_KEY = 'test';

// The test cluster speaks TLS with a certificate of its own authority, as RDS does; trust it as Lambda trusts Amazon's.
const { cluster } = testServices();
setDefaultCACertificates([...getCACertificates('default'), readFileSync(cluster.caFile, 'utf8')]);
