"""create projects"""
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "9b7d3e5f2c10"
down_revision = "4f1c2ab01d7e"


def upgrade():
    op.create_table(
        "projects",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner_id", sa.BigInteger, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("labels", postgresql.ARRAY(sa.Text), nullable=False),
        sa.Column("budget", sa.Numeric(12, 2), nullable=False),
        sa.Column("taxed", sa.Numeric, sa.Computed("budget * 1.19", persisted=True), nullable=False),
        sa.CheckConstraint("budget >= 0", name="projects_budget_check"),
    )
    op.create_index("ix_projects_owner_id", "projects", ["owner_id"])
    op.create_index("projects_labels_index", "projects", ["labels"], postgresql_using="gin")


def downgrade():
    op.drop_table("projects")
