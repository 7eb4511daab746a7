-- Custom SQL migration file, put your code below! --
CREATE TABLE "audit_log" (
	"id" bigint GENERATED ALWAYS AS IDENTITY,
	"occurred_at" timestamp with time zone DEFAULT now() NOT NULL,
	"team_id" uuid,
	"action" text NOT NULL,
	"detail" jsonb DEFAULT '{}'::jsonb NOT NULL,
	CONSTRAINT "audit_log_pk" PRIMARY KEY("occurred_at","id")
) PARTITION BY RANGE ("occurred_at");
--> statement-breakpoint
CREATE TABLE "audit_log_2026_h1" PARTITION OF "audit_log" FOR VALUES FROM ('2026-01-01 00:00Z') TO ('2026-07-01 00:00Z');--> statement-breakpoint
CREATE TABLE "audit_log_2026_h2" PARTITION OF "audit_log" FOR VALUES FROM ('2026-07-01 00:00Z') TO ('2027-01-01 00:00Z');--> statement-breakpoint
CREATE TABLE "audit_log_default" PARTITION OF "audit_log" DEFAULT;--> statement-breakpoint
CREATE INDEX "audit_log_team_id_index" ON "audit_log" USING btree ("team_id","occurred_at");--> statement-breakpoint
CREATE INDEX "audit_log_detail_index" ON "audit_log" USING gin ("detail");--> statement-breakpoint
CREATE FUNCTION "record_project_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO "audit_log" ("team_id", "action", "detail")
	VALUES (NEW."team_id", lower(TG_OP) || ' project', to_jsonb(NEW));
	RETURN NULL;
END
$$;--> statement-breakpoint
CREATE TRIGGER "projects_record_change" AFTER INSERT OR UPDATE ON "projects" FOR EACH ROW EXECUTE FUNCTION "record_project_change"();--> statement-breakpoint
COMMENT ON TABLE "audit_log" IS 'What was done in which team; a partition for each half-year';
