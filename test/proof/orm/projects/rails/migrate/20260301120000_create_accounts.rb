class CreateAccounts < ActiveRecord::Migration[6.1]
  def change
    create_table :users do |t|
      t.string :email, null: false, index: { unique: true }
      t.integer :role, null: false, default: 0, comment: "0 member, 1 owner"
      t.jsonb :settings, null: false, default: {}
      t.timestamps
    end
    create_table :projects, id: :uuid, default: "gen_random_uuid()" do |t|
      t.references :owner, null: false, foreign_key: { to_table: :users, on_delete: :cascade }
      t.text :labels, array: true, default: []
      t.decimal :budget, precision: 12, scale: 2
    end
  end
end
