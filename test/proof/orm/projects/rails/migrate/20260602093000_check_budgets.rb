class CheckBudgets < ActiveRecord::Migration[6.1]
  def change
    add_check_constraint :projects, "budget >= 0", name: "projects_budget_check"
    add_index :projects, :labels, using: :gin
    add_index :users, :created_at, where: "role = 1", order: { created_at: :desc }
  end
end
