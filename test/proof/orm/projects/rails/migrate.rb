require "active_record"

# What `rails db:migrate` and `rails db:abort_if_pending_migrations` do, without an application around them.
ActiveRecord::Base.establish_connection(ENV.fetch("DATABASE_URL"))
ActiveRecord::Migration.verbose = false
context = ActiveRecord::MigrationContext.new(File.join(__dir__, "migrate"), ActiveRecord::SchemaMigration)
context.migrate if ARGV == ["migrate"]
puts context.needs_migration? ? "pending" : "up to date at #{context.current_version}"
