-- Up Migration
-- What restricts a connected account besides what its own object says: it removed the platform, or lost a capability. The
-- newest fact of each cause. Nothing restricts an account any more once its object is newer.
CREATE TABLE billing.account_restrictions (
  -- Account and cause.
  id text PRIMARY KEY,
  account_id text NOT NULL,
  -- `deauthorized`, or `capability:` and its name.
  cause text NOT NULL,
  active boolean NOT NULL,
  version text COLLATE "C" NOT NULL,
  raw jsonb NOT NULL
);
CREATE INDEX account_restrictions_by_account ON billing.account_restrictions (account_id);

-- `restricted` is true when either is: what the account's object says, or a cause of the above. Code from before does not
-- write the new columns, and a null counts as `restricted`. There are few accounts.
ALTER TABLE billing.connect_accounts ADD COLUMN account_restricted boolean, ADD COLUMN restriction text;
UPDATE billing.connect_accounts SET account_restricted = restricted;

-- Down Migration
ALTER TABLE billing.connect_accounts DROP COLUMN account_restricted, DROP COLUMN restriction;
DROP TABLE billing.account_restrictions;
