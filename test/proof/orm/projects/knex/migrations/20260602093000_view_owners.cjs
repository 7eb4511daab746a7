exports.up = (knex) =>
  knex.schema.createMaterializedView('owners', (view) => {
    view.columns(['email', 'projects']);
    view.as(
      knex('users')
        .join('projects', 'projects.owner_id', 'users.id')
        .groupBy('email')
        .select('email')
        .count('projects.id'),
    );
  });

exports.down = (knex) => knex.schema.dropMaterializedView('owners');
