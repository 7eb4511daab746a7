import { text } from './fields';

/** Families that RDS for PostgreSQL 17 offers, with sizes that they have. RDS would refuse others after an hour of deployment. */
const INSTANCE_CLASS = new RegExp(
  [
    String.raw`^(t3|t4g)\.(micro|small|medium|large|2?xlarge)$`,
    '^(m5d?|m6gd?|m6id?|m7gd?|m7i|m8gd?|r5b?d?|r6gd?|r6id?|r7gd?|r7i|r8gd?|x2g|x2idn|x2iedn|c6gd)' +
      String.raw`\.(large|(2|4|8|12|16|24|32|48)?xlarge)$`,
    String.raw`^c6gd\.medium$`,
  ].join('|'),
);

/** A class of instances of RDS, without `db.`. */
export const instanceClass = text(
  'must be an instance class of RDS, without `db.`, such as `m7g.large`',
  INSTANCE_CLASS,
);
