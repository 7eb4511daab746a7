import { text } from './fields';

/** Families and sizes that RDS for PostgreSQL 17 offers. RDS would refuse others after an hour of deployment. */
const INSTANCE_CLASS = new RegExp(
  '^(t3|t4g|m5d?|m6gd?|m6id?|m7gd?|m7i|m8gd?|r5b?d?|r6gd?|r6id?|r7gd?|r7i|r8gd?|x2g|x2idn|x2iedn|c6gd)' +
    String.raw`\.(micro|small|medium|large|\d{0,2}xlarge)$`,
);

/** A class of instances of RDS, without `db.`. */
export const instanceClass = text(
  'must be an instance class of RDS, without `db.`, such as `m7g.large`',
  INSTANCE_CLASS,
);
