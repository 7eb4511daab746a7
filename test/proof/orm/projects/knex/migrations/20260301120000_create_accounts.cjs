exports.up = async (knex) => {
  await knex.schema.createTable('users', (table) => {
    table.increments('id');
    table.string('email').notNullable().unique();
    table.enu('role', ['owner', 'member'], { useNative: true, enumName: 'user_role' }).defaultTo('member');
    table.jsonb('settings').notNullable().defaultTo('{}');
    table.timestamps(true, true);
  });
  await knex.schema.createTable('projects', (table) => {
    table.uuid('id').primary().defaultTo(knex.fn.uuid());
    table.integer('owner_id').notNullable().references('users.id').onDelete('CASCADE').index();
    table.specificType('labels', 'text[]');
    table.decimal('budget', 12, 2).checkPositive();
  });
};

exports.down = async (knex) => {
  await knex.schema.dropTable('projects').dropTable('users');
  await knex.raw('DROP TYPE user_role');
};
