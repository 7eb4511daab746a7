import * as z from 'zod';

const name = z.string().min(1);
const settings = z.array(z.string().regex(/^[^=]+=/s));

/** A role that the database names: an owner, a grantee, a policy's role, or one that such a role is a member of. */
const roleSchema = z.object({
  name,
  canLogin: z.boolean(),
  superuser: z.boolean(),
  inherit: z.boolean(),
  createDatabase: z.boolean(),
  createRole: z.boolean(),
  replication: z.boolean(),
  bypassRowSecurity: z.boolean(),
  /** -1 without a limit. */
  connectionLimit: z.int(),
  comment: z.string().nullable(),
  /** `name=value`, for every database of the server. */
  settings,
});

const membershipSchema = z.object({
  role: name,
  member: name,
  admin: z.boolean(),
  inherit: z.boolean(),
  set: z.boolean(),
});

const databaseGrantSchema = z.object({
  /** `null` for PUBLIC. */
  grantee: name.nullable(),
  /** `CONNECT`, `CREATE` or `TEMPORARY`. */
  privilege: z.enum(['CONNECT', 'CREATE', 'TEMPORARY']),
  grantable: z.boolean(),
});

const databaseSchema = z.object({
  name,
  owner: name,
  comment: z.string().nullable(),
  connectionLimit: z.int(),
  /** `name=value`, for everybody. */
  settings,
  /** `name=value`, for one role in this database. */
  roleSettings: z.array(z.object({ role: name, settings })),
  /** `null` when the database has the privileges of a new one. */
  grants: z.array(databaseGrantSchema).nullable(),
});

const relationSchema = z.object({ schema: name, name });

const extensionSchema = z.object({
  name,
  version: name,
  schema: name,
  /** Whether its comment is another than the one that it brings along. */
  ownComment: z.boolean(),
  /** Tables whose rows are data of the database, though the extension made the table. */
  tables: z.array(
    relationSchema.extend({
      columns: z.array(name),
      /** SQL, `WHERE …`, for the rows that the extension did not bring along; empty for all rows. */
      condition: z.string(),
    }),
  ),
  /** Sequences whose position is data of the database. */
  sequences: z.array(relationSchema),
});

const omissionSchema = z.object({
  kind: z.enum(['subscription', 'user-mapping-options', 'extension-rows', 'unlogged-rows']),
  /** What is left out, as a person would name it. */
  object: z.string(),
  reason: z.string(),
});

/** What a schema needs besides its SQL, and what was left out of it: belongs into the manifest of an archive. */
export const schemaFactsSchema = z.object({
  /** Key of the `\restrict` lines: the texts that belong to these facts carry it. */
  key: z.string().regex(/^[A-Za-z0-9]+$/),
  /** Major version of the server. */
  serverMajor: z.int().positive(),
  roles: z.array(roleSchema),
  memberships: z.array(membershipSchema),
  database: databaseSchema,
  extensions: z.array(extensionSchema),
  /** Whether checks that depend on more than the row come after the rows. In archives from before November 2026, none does. */
  lateChecks: z.boolean().default(false),
  /** Number of large objects; their content is no part of the schema. */
  largeObjects: z.int().nonnegative(),
  omissions: z.array(omissionSchema),
});

export type SchemaFacts = z.infer<typeof schemaFactsSchema>;
export type Role = z.infer<typeof roleSchema>;
export type Membership = z.infer<typeof membershipSchema>;
export type DatabaseFacts = z.infer<typeof databaseSchema>;
export type Omission = z.infer<typeof omissionSchema>;

/** A schema as an archive keeps it. */
export interface CapturedSchema {
  /** SQL to run before the rows are loaded; complete by itself, for psql too. */
  readonly before: string;
  /** SQL to run after them. */
  readonly after: string;
  /** What else the schema needs, for the manifest. */
  readonly facts: SchemaFacts;
}

/** A statement of an archived schema that the target did not take; the rest is restored. */
export interface Deviation {
  /** What it is about, such as `FUNCTION app.touch()`. */
  readonly object: string;
  /** What the target has instead, in words. */
  readonly consequence: string;
  /** The server's message, with its SQLSTATE. */
  readonly reason: string;
}

/** One difference between two schemas. */
export interface SchemaDifference {
  readonly kind: 'added' | 'removed' | 'changed';
  /** `TABLE app.orders`. */
  readonly object: string;
  /** Lines of SQL that only the first or only the second schema has; `-` and `+` in front. */
  readonly lines: readonly string[];
}
